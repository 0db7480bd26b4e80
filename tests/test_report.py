"""The README tells what the CSVs say, and a CSV that cannot be is refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from training.episode import Episode, read_episodes, write_episodes
from training.evaluation import summarise
from training.report import long_table, read_scores, scores_table, with_block
from training.speed_report import speed_table

ROOT = Path(__file__).parent.parent
GOOD = Episode(
    track=3, score=912.3, frames=877, tiles=300, track_tiles=300, laps=1, end_reason="lap"
)


def test_readme_says_what_the_results_say() -> None:
    page = (ROOT / "README.md").read_text()
    scores = read_scores(ROOT / "results" / "scores")
    assert scores, "there are no results"
    assert with_block(page, "results", scores_table(scores)) == page
    assert with_block(page, "long", long_table(scores)) == page
    assert with_block(page, "speed", speed_table(ROOT / "results")) == page


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
