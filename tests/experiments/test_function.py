"""A search over a function: what it finds does not depend on how it was carried out."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from experiments.function import MeanOverCases
from experiments.jobs import StoppedError, UnfinishedError
from experiments.plan import Plan, rung_lengths
from experiments.search import Search
from experiments.space import Dimension, Range
from experiments.trials import COMPLETE, ENDED_EARLY, Trial, read_trials
from tests.support.command_line import ROOT
from training.stop import Stop

SPACE: dict[str, Dimension] = {"x": Range(0.0, 1.0), "y": Range(0.1, 10.0, log=True)}
CASES = (7, 5, 6, 9)
START = {"x": 0.5, "y": 2.0}
PROGRAM = """
import sys
from pathlib import Path
from tests.experiments.test_function import search
if __name__ == "__main__":
    search(Path(sys.argv[1]), 2)
"""


def parabola(values: dict[str, Any], case: int) -> float:
    """Best at x = 0.3, y = 1; as slow as told."""
    time.sleep(float(os.environ.get("PARABOLA_SECONDS", "0")))
    return float(case - 10 * (values["x"] - 0.3) ** 2 - abs(values["y"] - 1) / case)


def ends(values: dict[str, Any], case: int) -> float:
    os.kill(os.getpid(), signal.SIGKILL)
    return 0.0


def search(folder: Path, jobs: int) -> list[Trial]:
    """Eight trials in two batches; the better two of a batch are measured in all cases."""
    plan = Plan(SPACE, "tpe", 8, rung_lengths(len(CASES), 2), 4, 0, {"trials": 8}, (START,))
    objective = MeanOverCases(parabola, CASES, folder / "scores.csv", jobs, Stop())
    found = Search(folder, plan, objective)
    found.run()
    return found.trials


def outcome(folder: Path) -> list[str]:
    return [(folder / name).read_text() for name in ("trials.csv", "scores.csv")]


@pytest.mark.slow
def test_neither_jobs_nor_a_kill_change_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trials = search(tmp_path / "one", 1)
    assert trials[0].values == START
    for batch in trials[:4], trials[4:]:
        assert sorted(t.state for t in batch) == [COMPLETE] * 2 + [ENDED_EARLY] * 2
        early = [t for t in batch if t.state == ENDED_EARLY]
        assert max(t.score for t in early) <= min(t.steps[2] for t in batch if t not in early)
    for trial in trials:
        scores = [parabola(trial.values, case) for case in CASES[: max(trial.steps)]]
        assert trial.scores == scores and trial.score == pytest.approx(sum(scores) / len(scores))
    [again] = [t for t in read_trials(tmp_path / "one", SPACE) if t.number == 7]
    assert (again.values, again.state) == (trials[7].values, trials[7].state)

    monkeypatch.setenv("PARABOLA_SECONDS", "0.1")
    scores_file = tmp_path / "cut" / "scores.csv"
    (tmp_path / "program.py").write_text(PROGRAM)
    line = [sys.executable, str(tmp_path / "program.py"), str(tmp_path / "cut")]
    with subprocess.Popen(line, env=os.environ | {"PYTHONPATH": str(ROOT)}) as process:
        while not scores_file.exists() or scores_file.read_text().count("\n") < 14:
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
    with scores_file.open("a") as file:
        file.write("4,5,0.1")  # as a kill in the middle of a line leaves it
    search(tmp_path / "cut", 2)
    assert outcome(tmp_path / "cut") == outcome(tmp_path / "one")


def test_a_stop_and_a_kill_are_no_failures(tmp_path: Path) -> None:
    stop, trial, path = Stop(), Trial(0, START), tmp_path / "scores.csv"
    stop.ask()
    with pytest.raises(StoppedError):
        MeanOverCases(parabola, CASES, path, 1, stop).measure([trial], 2)
    with pytest.raises(UnfinishedError, match="SIGKILL"):
        MeanOverCases(ends, CASES, path, 1, Stop()).measure([trial], 1)
    assert not trial.steps and path.read_text() == ""


@pytest.mark.parametrize("damage", ["0,7\n", "0,seven,1.5\n", "\n"])
def test_damage_is_told(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "scores.csv"
    path.write_text(f"0,7,1.5\n{damage}")
    with pytest.raises(ValueError, match=r"scores.csv: damaged"):
        MeanOverCases(parabola, CASES, path, 1, Stop())
