"""`runs.py compare`: groups, what differs, and statistics that are worked out by hand or measured."""

from __future__ import annotations

import csv
import io
import json
import shutil
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import runs
from evaluation.evaluation import summarise
from evaluation.scores import read_episodes
from reports.compare import compare, write_figure
from reports.compare_groups import read_groups
from reports.compare_scores import verdict
from reports.compare_statistics import (
    Difference,
    difference,
    difference_of_means,
    enough,
    flip_signs,
    mean_interval,
    permute_runs,
)
from tests.support.corridor import ddqn, dqn, drive_there
from training.runs.run_folder import RunFolder
from training.runs.store import Runs

pytestmark = pytest.mark.timeout(900)
KEPT = Path(__file__).parents[2] / "results" / "runs"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seeds of one set of settings, the first with another discount, and another script; no test drives."""
    folder = tmp_path_factory.mktemp("runs")
    short = {"decisions": 480, "learning_starts": 144, "validation_tracks": 4}
    for seed in (1, 2):
        drive_there(ddqn(folder, name=f"seed{seed}", seed=seed, **short))
    drive_there(dqn(folder, name="plain", **short))
    other = folder / "DDQN" / "other"
    shutil.copytree(folder / "DDQN" / "seed1", other)
    (other / "config.json").write_text(json.dumps(RunFolder(other).config() | {"gamma": 0.8}))
    return folder


def named(folder: Path, *names: str) -> list[RunFolder]:
    return [Runs(folder).resolve(name) for name in names]


def kept(pattern: str) -> list[RunFolder]:
    """Published runs, with test drives."""
    return [RunFolder(path) for path in sorted(KEPT.glob(pattern))]


@pytest.mark.slow
def test_seeds_are_one_group_and_only_what_differs_is_shown(folder: Path) -> None:
    found = compare(named(folder, "seed2", "seed1", "other", "plain"))
    assert [[c.seed for c in g.runs] for g in found.groups] == [[1, 2], [1], [1]]
    assert [g.title for g in found.groups] == ["A DDQN", "B DDQN", "C DQN"]
    assert found.settings == {
        "agent": ["DDQN", "DDQN", "DQN"],
        "gamma": ["0.9", "0.8", "0.9"],
        "alpha": ["0.5", "0.5", "–"],
        "beta_start": ["0.5", "0.5", "–"],
        "beta_updates": ["500", "500", "–"],
    }
    assert found.origins == {}
    assert not found.tested and "Compared by the best validation: no test.csv" in found.notes[0]
    with (folder / "DDQN" / "seed2" / "validation.csv").open(newline="") as file:
        best = max(float(row["mean"]) for row in csv.DictReader(file))
    assert found.groups[0].runs[1].best == best
    [a, b, _] = found.scores
    assert (a.runs, a.laps) == (2, None) and np.isnan(b.low)
    assert found.pairs[0].verdict.endswith("too few runs to tell it from noise")


def test_what_is_free_on_a_resume_makes_no_group(folder: Path, tmp_path: Path) -> None:
    """Nor does a seed; but a seed twice does, where the program was another one."""
    for name in ("seed1", "seed2"):
        shutil.copytree(folder / "DDQN" / name, tmp_path / "DDQN" / name)
    again = tmp_path / "DDQN" / "seed1"
    config, origin = json.loads((again / "config.json").read_text()), RunFolder(again).origin()
    (again / "config.json").write_text(
        json.dumps(config | {"workers": 7, "hours": 1.5, "not_known_then": 0})
    )
    both = [*named(folder, "seed1"), *named(tmp_path, "seed1", "seed2")]
    assert [[c.seed for c in g.runs] for g in read_groups(both)] == [[1, 1, 2]]
    (again / "origin.json").write_text(json.dumps(origin | {"commit": "f" * 40}))
    found = compare(both)
    assert [[c.seed for c in g.runs] for g in found.groups] == [[1, 2], [1]]
    assert found.origins["commit"] == [origin["commit"][:12], "f" * 12]
    assert found.settings == {}


def test_published_runs() -> None:
    """Means by hand; the tracks are common to all."""
    found = compare([*kept("ddqn-seed*"), *kept("dqn-seed*")])
    for score, pattern in zip(found.scores, ("ddqn-seed*", "dqn-seed*"), strict=True):
        drives = [summarise(read_episodes(r.path / "test.csv")) for r in kept(pattern)]
        means = [d.mean for d in drives]
        assert score.mean == pytest.approx(np.mean(means))
        assert (score.worst, score.laps) == (min(means), sum(d.laps for d in drives))
        assert min(means) < score.low < score.mean < score.high < max(means)
    [pair] = found.pairs
    assert pair.difference is not None
    assert pair.tracks == 50 and pair.difference.over == "seeds and tracks"
    assert pair.difference.mean == pytest.approx(found.scores[0].mean - found.scores[1].mean)
    origins = [r.origin() for r in (*kept("ddqn-seed*"), *kept("dqn-seed*"))]
    for name in ("commit", "processor"):
        assert (name in found.origins) == (len({o[name] for o in origins}) > 1)


def test_tables(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    runs.compare(("seed1", "plain"), md=True, runs=folder)
    markdown = capsys.readouterr().out
    assert "| setting | A DDQN | B DQN |" in markdown
    assert "| beta_start | 0.5 | – |" in markdown
    runs.compare(("seed*", "plain"), runs=folder)
    shown = capsys.readouterr().out
    assert "Settings that differ" in shown and "DDQN/seed1, DDQN/seed2" in shown


def test_a_picture_of_it(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "compare.png"
    found = compare(named(folder, "seed1", "seed2", "plain"))
    axes = found.figure().axes
    legend = axes[0].get_legend()
    assert legend is not None
    assert [t.get_text() for t in legend.get_texts()] == [
        "A DDQN, 2 seeds",
        "B DQN, 1 seed",
    ]
    assert len(axes[0].collections) == 1, "a band over the seeds of the first group"
    for _ in range(2):  # over its own
        write_figure(found, path)
    image = np.asarray(Image.open(io.BytesIO(path.read_bytes())).convert("RGB"))
    assert (image != 255).any(axis=2).mean() > 0.01
    path.write_bytes(b"a photograph")
    with pytest.raises(ValueError, match="did not make it"):
        write_figure(found, path)
    assert path.read_bytes() == b"a photograph"


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("validation.csv", b"decisions,mean\n", "validation.csv: no rows"),
        ("validation.csv", b"decisions,mean\n1,2\n", "validation.csv: not a learning curve"),
        ("validation.csv", None, "no validation.csv, nothing to compare yet"),
        ("episodes.csv", b"\x00\xff", "episodes.csv: not a CSV"),
        ("test.csv", b"track,score\n0,900\n", "test.csv: the columns must be"),
        ("config.json", b'{"gamma": 0.9}', "of another version, it has no 'seed'"),
        ("config.json", b"[1]", "config.json: not a file that a run writes"),
        ("origin.json", b"", "origin.json: missing or damaged"),
    ],
)
def test_a_damaged_run_is_refused(
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    file: str,
    content: bytes | None,
    said: str,
) -> None:
    shutil.copytree(folder / "DDQN" / "seed1", tmp_path / "DDQN" / "one")
    (tmp_path / "DDQN" / "one" / file).unlink(missing_ok=True)
    if content is not None:
        (tmp_path / "DDQN" / "one" / file).write_bytes(content)
    other = str(folder / "DQN" / "plain")
    assert said in error_of((str(tmp_path / "DDQN" / "one"), other), tmp_path, capsys)


def error_of(words: tuple[str, ...], where: Path, capsys: pytest.CaptureFixture[str]) -> str:
    picture = where / "compare.png"
    with pytest.raises(SystemExit) as end:
        runs.compare(words, out=picture, runs=where)
    assert end.value.code == 2
    said = capsys.readouterr()
    [line] = said.err.splitlines()
    assert said.out == "" and not picture.exists()
    return line


def test_bad_input_is_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    itself = "name two runs or more: there is only"
    assert itself in error_of(("seed1",), folder, capsys)
    assert itself in error_of(("seed1", "DDQN/seed1", str(folder / "DDQN/seed1")), folder, capsys)
    assert "no run 'nobody'" in error_of(("seed1", "nobody"), folder, capsys)


def test_permutations_by_hand() -> None:
    one, other = np.array([5.0, 6.0, 17.0]), np.array([1.0, 2.0, 3.0, 4.0])
    assert permute_runs(one, other) == pytest.approx(1 / 35), "no other choice is as far apart"
    assert permute_runs(np.array([1.0, 4.0]), np.array([2.0, 3.0])) == 1
    rng = np.random.default_rng(1)
    one, other = rng.normal(0, 1, 5), rng.normal(1, 1, 5)
    both = np.concatenate([one, other])
    gains = [both[list(c)].mean() - np.delete(both, c).mean() for c in combinations(range(10), 5)]
    far = np.mean([abs(g) >= abs(one.mean() - other.mean()) - 1e-12 for g in gains])
    assert permute_runs(one, other) == pytest.approx(far)
    assert flip_signs(np.array([1.0, 1.0, 1.0])) == 2 / 8
    assert flip_signs(np.array([1.0, -1.0])) == 1
    assert flip_signs(np.ones(40)) == pytest.approx(1 / 20_000), (
        "drawn, the observed one among them"
    )


def test_enough_runs_to_tell_settings_apart() -> None:
    """Three against three have twenty permutations, of which two are the farthest."""
    assert not enough(1, 30) and not enough(3, 3)
    assert enough(4, 4) and enough(3, 4)


def test_intervals_by_hand() -> None:
    assert mean_interval([np.full(5, 3.0), np.full(9, 3.0)]) == (3, 3)
    low, high = mean_interval([np.zeros(4), np.full(4, 10.0)])
    assert (low, high) == (0, 10), "of two runs a quarter of the draws have one of them twice"
    alone = difference(np.array([[1.0, 5.0, 3.0]]), np.array([[0.0, 4.0, 2.0]]))
    assert (alone.mean, alone.low, alone.high) == (1, 1, 1), "tracks are paired"
    assert alone.over == "tracks"
    few = difference_of_means(np.array([1.0, 2.0]), np.array([3.0]))
    assert few.mean == -1.5 and np.isnan([few.low, few.high, few.p]).all()


def groups(rng: np.random.Generator, seeds: int, gain: float) -> list[NDArray[np.float64]]:
    """Scores of two groups on 50 tracks: tracks, seeds and episodes each have an effect of their own."""
    tracks = rng.normal(0, 15, 50)
    scores = (
        900 + tracks + rng.normal(0, 10, (seeds, 1)) + rng.normal(0, 20, (seeds, 50))
        for _ in range(2)
    )
    one, other = scores
    return [one + gain, other]


@pytest.mark.parametrize(("gain", "least", "most"), [(0.0, 0.0, 0.1), (30.0, 0.9, 1.0)])
def test_how_often_a_difference_is_told_from_noise(gain: float, least: float, most: float) -> None:
    """Where there is none, and where it is three times what seeds differ by."""
    rng = np.random.default_rng(3)
    told = [not difference(*groups(rng, 5, gain)).is_noise for _ in range(20)]
    assert least <= np.mean(told) <= most


def test_verdicts() -> None:
    better = Difference(-12.0, -20.0, -4.0, 0.01, "seeds and tracks")
    assert verdict("A", "B", better) == "B is better by 12.0 [4.0, 20.0]"
    noise = Difference(3.0, -2.0, 8.0, 0.3, "seeds and tracks")
    assert verdict("A", "B", noise) == "noise: A +3.0 [-2.0, 8.0]"
    assert verdict("A", "B", Difference(3.0, 1.0, 8.0, 0.2, "tracks")).startswith("noise")
    few = Difference(3.0, 1.0, 8.0, 0.001, "tracks")
    assert "too few seeds for a statement about their settings" in verdict("A", "B", few)
