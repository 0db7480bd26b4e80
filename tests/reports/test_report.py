"""The README tells what the CSVs say, and a CSV that cannot be is refused."""

from __future__ import annotations

import dataclasses
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from evaluation.evaluation import summarise
from evaluation.scores import read_episodes, write_episodes
from racing.episode import Episode
from reports.plots import plot_scores, plot_speed_and_missed_tiles
from reports.report import (
    ROWS,
    long_table,
    on_first_tracks,
    read_scores,
    scores_table,
    with_block,
)
from reports.speed_report import speed_table

ROOT = Path(__file__).parents[2]
GOOD = Episode(
    track=3, score=912.3, frames=877, tiles=300, track_tiles=300, laps=1, end_reason="lap"
)


def test_pages_say_what_the_results_say() -> None:
    page, more = ((ROOT / n).read_text() for n in ("README.md", "docs/results.md"))
    scores = read_scores(ROOT / "results" / "scores")
    assert scores, "there are no results"
    assert with_block(page, "results", scores_table(scores)) == page
    assert with_block(more, "long", long_table(scores)) == more
    assert with_block(more, "speed", speed_table(ROOT / "results")) == more


def figures(line: str) -> dict[str, float]:
    """The numbers of a measured driver's line in the table."""
    cells = [c.strip().strip("*") for c in line.strip("|").split("|")]
    low, high = cells[2].split(" – ")
    laps, episodes = cells[6].split("/")
    named = {"mean": cells[1], "low": low, "high": high, "max": cells[3], "min": cells[4]}
    named |= {"std": cells[5], "laps": laps, "episodes": episodes, "frames": cells[7]}
    return {name: float(value) for name, value in named.items()}


def possible(f: dict[str, float]) -> bool:
    """Whether any 50 episodes could have these figures (rounded to a tenth, frames to a whole)."""
    inside = f["min"] <= f["low"] <= f["mean"] <= f["high"] <= f["max"]
    best = 1000 - 0.1 * f["frames"] + 0.1
    return inside and std_possible(f) and 0 <= f["laps"] <= f["episodes"] and f["mean"] <= best


def std_possible(f: dict[str, float]) -> bool:
    """The std is greatest with all episodes at the two ends (Bhatia and Davis 2000)."""
    spread = (f["max"] - f["mean"]) * (f["mean"] - f["min"])
    return f["std"] <= math.sqrt(max(spread, 0) * f["episodes"] / (f["episodes"] - 1)) + 0.1


def test_no_figure_in_the_readme_is_impossible() -> None:
    page = (ROOT / "README.md").read_text()
    table = page.split("<!-- results table: begin -->")[1].split("<!-- results table: end -->")[0]
    measured = [figures(x) for x in table.splitlines() if x.startswith("|") and "**" in x]
    assert len(measured) >= 5
    assert all(possible(f) for f in measured)
    for name, wrong in (("std", 500.0), ("mean", 960.0), ("laps", 51.0), ("min", 999.0)):
        assert not any(possible(f | {name: wrong}) for f in measured), name


def test_an_impossible_published_figure_has_a_note() -> None:
    for row in (row.published for row in ROWS if row.published and row.published.std):
        known = {name: getattr(row, name) for name in ("mean", "max", "min", "std")}
        assert std_possible(known | {"episodes": 50}) == (row.note == ""), row


def test_the_ancestors_human_stands_until_fifty_tracks_are_driven() -> None:
    fifty = [dataclasses.replace(GOOD, track=t) for t in range(50)]
    theirs = "| Human | (770.8) | – | (824.1) | (683.3) | (45.3) | – | – | 770.8 |"
    table = scores_table({"human": fifty[:49]})
    assert theirs in table
    assert "Human: 49 of 50 tracks driven here yet" in table
    assert theirs in scores_table({"human": [*fifty[:49], dataclasses.replace(GOOD, track=99)]})
    assert "| Human | **912.3** |" in scores_table({"human": fifty})


def test_every_driver_was_measured_on_the_same_tracks() -> None:
    scores = read_scores(ROOT / "results" / "scores")
    tracks = {stem: [e.track for e in episodes][:50] for stem, episodes in scores.items()}
    assert all(t == list(range(50)) for t in tracks.values())


def test_summary_by_hand() -> None:
    episodes = [
        dataclasses.replace(GOOD, score=s, laps=n) for s, n in ((100, 0), (200, 0), (900, 1))
    ]
    s = summarise(episodes)
    assert (s.mean, s.median, s.min, s.max, s.laps) == (400, 200, 100, 900, 1)
    assert s.std == pytest.approx(np.sqrt((300**2 + 200**2 + 500**2) / 2))
    assert s.min <= s.low < s.mean < s.high <= s.max


def test_episodes_survive_a_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    write_episodes(path, [GOOD, dataclasses.replace(GOOD, track=4, laps=0, end_reason="time")])
    assert read_episodes(path)[0] == GOOD
    assert [p.name for p in tmp_path.iterdir()] == ["scores.csv"]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("3,912.3,877,301,300,1,lap", "impossible"),
        ("3,912.3,877,300,300,1,time", "impossible"),  # a lap ends the episode
        ("3,912.3,877,299,300,1,lap", "impossible"),  # a tile's reward too many
        ("4,912.3,876,300,300,1,lap", "impossible"),  # a frame's cost too many
        ("3,-87.7,877,0,0,0,time", "impossible"),
        ("3,999.0,877,300,300,1,lap", "impossible"),  # more than a perfect lap of that length
        ("3,912.3,1001,300,300,1,lap", "impossible"),
        ("3,912.3,877,300,300,2,lap", "impossible"),
        ("3,912.3,877,300,300,1,won", "impossible"),
        ("3,nan,877,300,300,1,lap", "impossible"),
        ("3,912.3,877,300", "not an episode"),
        ("3,fast,877,300,300,1,lap", "not an episode"),
    ],
)
def test_a_row_that_cannot_be_is_refused(tmp_path: Path, row: str, problem: str) -> None:
    path = tmp_path / "scores.csv"
    write_episodes(path, [GOOD])
    path.write_text(path.read_text() + row + "\n")
    with pytest.raises(ValueError, match=rf"scores.csv:3: .*{problem}"):
        read_episodes(path)


@pytest.mark.parametrize(
    "text", ["", "track,score\n", "a,b,c,d,e,f,g\n1,2,3,4,5,6,7\n"], ids=["empty", "few", "foreign"]
)
def test_foreign_columns_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "scores.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match="the columns must be"):
        read_episodes(path)


def test_a_csv_without_episodes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    write_episodes(path, [])
    with pytest.raises(ValueError, match="no episodes"):
        read_episodes(path)


def test_a_page_without_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="results table"):
        with_block("no markers here", "results", "table")


@pytest.mark.slow
def test_every_row_can_be_drawn_and_who_drove_elsewhere_is_left_out() -> None:
    """Also the ancestor's, who has no CSV yet, and a human who drove other tracks only."""
    scores = {row.stem: [dataclasses.replace(GOOD, track=t) for t in range(3)] for row in ROWS}
    scores["human"] = [dataclasses.replace(GOOD, track=70)]
    driven = on_first_tracks(scores)
    assert set(driven) == set(scores) - {"human"}
    whole = plot_scores(driven), plot_speed_and_missed_tiles(driven)
    for name in driven:
        others = {n: episodes for n, episodes in driven.items() if n != name}
        assert plot_scores(others) != whole[0], f"{name} is not in the picture"
    for name in ("ddqn", "pid"):
        others = {n: episodes for n, episodes in driven.items() if n != name}
        assert plot_speed_and_missed_tiles(others) != whole[1], f"{name} is not in the picture"


def test_a_page_is_utf_8_whatever_the_locale(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_bytes("1 – 2\n<!-- x table: begin -->\n<!-- x table: end -->\n".encode())
    write = f"from reports.report import *; write_block(Path({str(page)!r}), 'x', 'three')"
    ascii_only = {**os.environ, "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"}
    subprocess.run(
        [sys.executable, "-X", "utf8=0", "-c", write], cwd=ROOT, env=ascii_only, check=True
    )
    assert page.read_bytes().decode().startswith("1 – 2\n<!-- x table: begin -->\nthree\n")
