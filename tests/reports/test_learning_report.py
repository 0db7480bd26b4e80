"""Learning curves: the README tells what the files say, and the statistics are those worked out by hand."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import runs
from agents.network import weights_of
from agents.weights import pack
from evaluation.scores import write_episodes
from racing.episode import Episode
from reports import publish as publishing
from reports.curves import (
    band,
    best_within,
    minutes_to,
    read_peer,
    read_points,
    read_runs,
    read_training,
)
from reports.learning_report import learning_table
from reports.report import with_block
from system.files import sha256
from tests.support.networks import small_network

ROOT = Path(__file__).parents[2]
COLUMNS = "decisions,updates,seconds,mean,std,min,max,laps,episodes"
PAGE = "before\n<!-- learning table: begin -->\n<!-- learning table: end -->\nafter\n"
Points = NDArray[np.float64]


def test_the_page_says_what_the_results_say() -> None:
    page = (ROOT / "docs" / "results.md").read_text()
    results = ROOT / "results"
    curves = read_runs({folder.name: folder for folder in (results / "runs").iterdir()})
    assert curves
    assert with_block(page, "learning", learning_table(curves, read_peer(results))) == page


def write_run(folder: Path, seed: int, curve: dict[float, float], **settings: object) -> Path:
    """A run's folder with validation means by minute."""
    folder.mkdir(parents=True)
    config = {"seed": seed, "name": folder.name, "decisions": 1000, "gamma": 0.98}
    config |= {"preset": "default"} | settings
    config["learning_starts"] = 100
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "best.safetensors").write_bytes(b"weights")
    origin = {"agent": "DDQN", "tested": sha256(b"weights")}
    (folder / "origin.json").write_text(json.dumps(origin))
    rows = [f"{int(1e4 * m)},{int(1e3 * m)},{60 * m},{v},1,2,3,4,5" for m, v in curve.items()]
    (folder / "validation.csv").write_text("\n".join([COLUMNS, *rows, ""]))
    (folder / "episodes.csv").write_text("decisions,track,score\n300,7,12.5\n9000,8,50\n")
    write_episodes(folder / "test.csv", [Episode(t, 912.3, 877, 9, 9, 1, "lap") for t in range(3)])
    return folder


class Bench:
    """`runs.py record` with everything that it writes in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.page = folder, folder / "page.md"
        self.results = folder / "results"
        self.page.write_text(PAGE)

    def record(self, *folders: Path, label: str = "") -> str:
        """Call it; the tables."""
        picture = self.folder / "learning.png"
        names = tuple(map(str, folders))
        runs.record(names, label=label, results=self.results, page=self.page, picture=picture)
        image = np.asarray(Image.open(picture).convert("RGB"))
        assert (image != 255).any(axis=2).mean() > 0.01, "nothing is drawn"
        return self.page.read_text()

    @property
    def kept(self) -> set[str]:
        return {p.name for p in (self.results / "runs").glob("*")}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_seeds_are_kept_and_told(bench: Bench) -> None:
    curves: list[dict[float, float]] = [
        {1: 310, 3: 700, 9: 901},
        {2: 200, 4: 600, 10: 890},
        {1: 100, 5: 851, 8: 840},
    ]
    folders = [write_run(bench.folder / str(i), i, c) for i, c in enumerate(curves, start=1)]
    noted = {
        "agent": "DDQN",
        "started": "2026-03-29T23:59:30+0000",
        "finished": "2026-03-30T00:09:36+0000",
        "tested": sha256(b"weights"),
    }
    (folders[0] / "origin.json").write_text(json.dumps(noted))
    bench.results.mkdir()
    (bench.results / "peer_sb3.csv").write_text(
        f"{COLUMNS.replace('seconds', 'minutes')}\n7,7,2.5,299.9,1,2,3,4,5\n8,8,6,650,1,2,3,4,5\n"
    )
    lines = bench.record(*folders).splitlines()
    assert bench.kept == {"ddqn-seed1", "ddqn-seed2", "ddqn-seed3"}
    assert "| DDQN | 3 | **912.3** | 912.3 – 912.3 | 912.3 | 9/9 |" in lines
    test = "**912.3** | 912.3 – 912.3 | 3/3 |"
    assert f"| DDQN | 1 | 1.0 | 3.0 | 9.0 | 9.0 | 9.0 | 10.1 | 90,000 | 9,000 | {test}" in lines
    assert f"| DDQN | 3 | 5.0 | 5.0 | 5.0 | – | 8.0 | – | 80,000 | 8,000 | {test}" in lines
    # The seeds take 1, 4, 5; 3, 4, 5; 9, 10, 5; 9, never, never minutes.
    ours = "4.0 (3/3) | 4.0 (3/3) | 9.0 (3/3) | – (1/3) |"
    assert f"| DDQN, median of 3 seeds (reached by) | {ours}" in lines
    assert "| Stable-Baselines3 DQN, 1 seed, 6 minutes | 6.0 | 6.0 | – | – |" in lines


def test_a_labelled_run_counts_apart(bench: Bench) -> None:
    """And may have other settings, which a seed of the same curve may not."""
    one = write_run(bench.folder / "one", 1, {1: 500})
    longer = write_run(bench.folder / "longer", 1, {30: 950}, decisions=9000)
    bench.record(one)
    page = bench.record(longer, label="long")
    assert bench.kept == {"ddqn-seed1", "ddqn-long-seed1"}
    assert "| DDQN, median of 1 seed (reached by) | 1.0 (1/1) | – (0/1) | – (0/1) |" in page
    assert "| DDQN long | 1 | 30.0 |" in page
    again = write_run(bench.folder / "again", 2, {40: 960}, decisions=9000, preset="long")
    longer_config = bench.results / "runs" / "ddqn-long-seed1" / "config.json"
    longer_config.write_text(longer_config.read_text().replace('"default"', '"long"'))
    bench.record(again)
    assert bench.kept == {"ddqn-seed1", "ddqn-long-seed1", "ddqn-long-seed2"}


@pytest.mark.parametrize(
    ("label", "settings", "problem"),
    [
        ("", {"gamma": 0.9}, "seeds 1 and 2 of DDQN .* gamma is 0.98 and 0.9"),
        ("", {"decisions": 9000}, "decisions is 1000 and 9000"),
        ("Long", {}, "a label is .* got 'Long'"),
        ("a-seed3", {}, "got 'a-seed3'"),
        ("../..", {}, "a label is"),
    ],
)
def test_what_would_mix_is_refused_before_anything_is_written(
    bench: Bench,
    capsys: pytest.CaptureFixture[str],
    label: str,
    settings: dict[str, object],
    problem: str,
) -> None:
    page = bench.record(write_run(bench.folder / "one", 1, {1: 500}))
    other = write_run(bench.folder / "other", 2, {1: 600}, **settings)
    with pytest.raises(SystemExit) as end:
        bench.record(other, label=label)
    assert end.value.code == 2
    [line] = capsys.readouterr().err.splitlines()
    assert re.search(problem, line), line
    assert bench.kept == {"ddqn-seed1"}
    assert bench.page.read_text() == page


def test_a_page_that_is_not_there_is_refused_before_anything_is_written(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.page.unlink()
    with pytest.raises(SystemExit) as end:
        bench.record(write_run(bench.folder / "one", 1, {1: 500}))
    assert end.value.code == 2
    assert capsys.readouterr().err == f"error: {bench.page}: there is no such page\n"
    assert not bench.results.exists()


def test_a_run_that_went_on_after_its_test_is_refused(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write_run(bench.folder / "one", 1, {1: 500})
    (run / "best.safetensors").write_bytes(b"better weights")
    with pytest.raises(SystemExit) as end:
        bench.record(run)
    assert end.value.code == 2
    assert "have not driven the test tracks" in capsys.readouterr().err
    assert not bench.kept


def test_weights_that_change_while_they_are_measured_are_not_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As when somebody goes on with the run meanwhile."""
    run = write_run(tmp_path / "run", 1, {1: 500})
    weights = pack(weights_of(small_network()), {"agent": "DDQN"})
    (run / "best.safetensors").write_bytes(weights)

    def evaluate(name: str, tracks: list[int], on_progress: object) -> list[Episode]:
        Path(name).write_bytes(weights.replace(b"DDQN", b"DQN2"))
        return [Episode(t, 912.3, 877, 9, 9, 1, "lap") for t in tracks]

    monkeypatch.setattr(publishing, "evaluate", evaluate)
    with pytest.raises(SystemExit) as end:
        runs.publish(str(run), models=tmp_path / "models", results=tmp_path / "results")
    assert end.value.code == 1
    assert "changed while it was measured" in capsys.readouterr().err
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize("tracks", [range(3), range(50, 53)], ids=["common tracks", "others"])
def test_worse_weights_replace_published_ones_only_when_forced(tracks: range) -> None:
    """Compared on the tracks that both drove; where there are none, mean with mean."""

    def driven(score: float, tracks: range) -> list[Episode]:
        return [Episode(t, score, 877, 9, 9, 1, "lap") for t in tracks]

    with pytest.raises(ValueError, match=r"drives 2\.5 points better .*--force"):
        publishing.check_not_worse(driven(910.0, range(3)), driven(912.5, tracks), "ddqn")
    publishing.check_not_worse(driven(912.5, range(3)), driven(912.5, tracks), "ddqn")


def test_published_weights_whose_scores_are_not_known_drive_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nor are they replaced by worse ones."""
    run, models = write_run(tmp_path / "run", 1, {1: 500}), tmp_path / "models"
    (run / "best.safetensors").write_bytes(pack(weights_of(small_network()), {"agent": "DDQN"}))
    models.mkdir()
    published = models / "ddqn.safetensors"
    published.write_bytes(b"better weights")

    def evaluate(name: str, tracks: list[int], on_progress: object) -> list[Episode]:
        score = 930.0 if name == str(published) else 900.0
        return [Episode(t, score, 877, 9, 9, 1, "lap") for t in tracks]

    monkeypatch.setattr(publishing, "evaluate", evaluate)
    with pytest.raises(SystemExit) as end:
        runs.publish(str(run), models=models, results=tmp_path / "results")
    assert end.value.code == 2
    assert "drives 30.0 points better" in capsys.readouterr().err
    assert published.read_bytes() == b"better weights"
    assert not (tmp_path / "results").exists()
    runs.publish(str(run), models=models, results=tmp_path / "results", force=True)
    assert published.read_bytes() != b"better weights"


def test_two_runs_of_one_seed_are_refused(bench: Bench) -> None:
    folders = [write_run(bench.folder / name, 1, {1: 500}) for name in "ab"]
    with pytest.raises(SystemExit):
        bench.record(*folders)
    assert not bench.kept


def test_when_a_score_was_first_reached() -> None:
    points = np.array([[1, 0, 0, 100], [2, 0, 0, 900], [3, 0, 0, 800.0]])
    assert [minutes_to(points, score) for score in (50, 850, 901)] == [1, 2, np.inf]
    assert best_within(points, 0.5) == -np.inf
    assert best_within(points, 2) == points[:2, 3].max()
    assert best_within(points, 60) == points[:, 3].max()


def test_training_episodes_by_hand(tmp_path: Path) -> None:
    """Parts of 100 decisions; the second half of the run is twice as slow, and learning begins at 1000."""
    path = tmp_path / "episodes.csv"
    path.write_text("decisions,track,score\n100,1,10\n1901,2,30\n2000,3,50\n4000,4,900\n")
    points = np.array([[1.0, 2000, 100, 0], [3.0, 4000, 300, 0]])
    minutes, decisions, updates, means = read_training(path, points, learning_starts=1000).T
    np.testing.assert_allclose(decisions, [50, 1950, 3950])
    np.testing.assert_allclose(minutes, [0.025, 0.975, 2.95])
    np.testing.assert_allclose(updates, [0, 95, 295])
    np.testing.assert_allclose(means, [10, 40, 900])


def test_a_band_by_hand() -> None:
    """Two seeds: half of the draws have both, a quarter each has one of them twice."""
    b = band(
        [(np.array([0.0, 4.0]), np.array([0.0, 400.0])), (np.array([1.0, 3.0]), np.full(2, 100.0))]
    )
    assert (b.x[0], b.x[-1]) == (1, 3)
    np.testing.assert_allclose(b.mean, (100 * b.x + 100) / 2)
    np.testing.assert_allclose(b.low, np.minimum(100 * b.x, 100))
    np.testing.assert_allclose(b.high, np.maximum(100 * b.x, 100))


@pytest.mark.parametrize(
    "text", ["", f"{COLUMNS}\n", "decisions,mean\n1,2\n", f"{COLUMNS}\n1,2,3,high,5,6,7,8,9\n"]
)
def test_what_is_no_curve_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "validation.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"validation.csv: (no rows|not a learning curve)"):
        read_points(path)
