"""The trainer: stopped, resumed, damaged or diverging, in the corridor."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from agents.learner import Learner
from corridor import Run, drive_there
from test_events import read as read_events
from training.checkpoint import CheckpointError
from training.journal import Journal
from training.pool import LocalPool
from training.trainer import TrainingError

DECISIONS = 2880  # three checkpoints; 48 decisions a tick


@pytest.fixture(autouse=True)
def corridor(monkeypatch: pytest.MonkeyPatch) -> None:
    """The actors drive in the corridor."""
    drive_there(monkeypatch)


def outcome(run: Run) -> dict[str, Any]:
    """All that a finished run left behind, seconds aside."""
    steps = run.checkpoints.steps()
    newest = run.folder / "checkpoints" / f"{steps[-1]:09d}" / "arrays.safetensors"
    # A graph's attributes are written in any order.
    left_out = ("speed/", "graph", "__run_graph__")
    events = [e for e in read_events(run.folder) if not e[1].startswith(left_out)]
    validations = [line.split(",") for line in (run.folder / "validation.csv").read_text().split()]
    return {
        "steps": steps,
        "arrays": {name: array.tobytes() for name, array in load_file(newest).items()},
        "episodes": (run.folder / "episodes.csv").read_text(),
        "validations": [[*row[:2], *row[3:]] for row in validations],
        "events": events,
    }


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        drive_there(patch)
        run = Run(tmp_path_factory.mktemp("undisturbed"), DECISIONS)
        run.train()
        assert run.checkpoints.steps() == [1920, 2880]
        return outcome(run)


def stopped_at(folder: Path, decisions: int) -> Run:
    """A run that was asked to stop."""
    run = Run(folder, DECISIONS)
    with Journal(folder, DECISIONS) as journal:
        run.describe(journal)
        pool = LocalPool(run.trainer.spec)
        while run.trainer.decisions < decisions:
            run.trainer.tick(pool, journal)
            if run.trainer.decisions % 960 == 0:
                run.trainer.save(journal, run.checkpoints)
        run.trainer.stop_asked = True
        run.trainer.save(journal, run.checkpoints)
    return run


@pytest.mark.slow
def test_stopped_and_resumed_it_is_the_same(tmp_path: Path, undisturbed: dict[str, Any]) -> None:
    stopped_at(tmp_path, 1296)
    again = Run(tmp_path, DECISIONS)
    again.train(resume=True)
    assert outcome(again) == undisturbed


@pytest.mark.slow
@pytest.mark.parametrize("file", ["arrays.safetensors", "state.json", "manifest.json"])
def test_a_damaged_checkpoint_costs_time_and_nothing_else(
    tmp_path: Path, undisturbed: dict[str, Any], file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The one before is used, and what came after is made again."""
    stopped_at(tmp_path, 1296)
    path = tmp_path / "checkpoints" / "000001296" / file
    path.write_bytes(path.read_bytes()[:-9])
    again = Run(tmp_path, DECISIONS)
    again.train(resume=True)
    assert str(path) in capsys.readouterr().out
    assert outcome(again) == undisturbed
    assert (tmp_path / "checkpoints" / "damaged-000001296").is_dir()


def test_when_none_is_whole_all_are_named_and_nothing_is_lost(tmp_path: Path) -> None:
    run = stopped_at(tmp_path, 1296)
    files = [tmp_path / "checkpoints" / f"{s:09d}" / "state.json" for s in run.checkpoints.steps()]
    for path in files:
        path.write_bytes(b"{}")
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    with pytest.raises(CheckpointError) as caught:
        Run(tmp_path, DECISIONS).train(resume=True)
    assert all(str(path) in str(caught.value) for path in files)
    assert before == {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}


def test_nothing_to_resume(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no checkpoint"):
        Run(tmp_path, DECISIONS).train(resume=True)


def test_a_loss_that_is_no_number_ends_the_run_and_the_last_checkpoint_is_good(
    tmp_path: Path,
) -> None:
    run = Run(tmp_path, DECISIONS)
    trainer = run.trainer
    steady = trainer.schedules.learning_rate
    object.__setattr__(
        trainer.schedules, "learning_rate", lambda u: steady(u) if u < 200 else math.inf
    )
    with pytest.raises(TrainingError, match=r"updates the loss is (nan|inf)"):
        run.train()
    assert trainer.learner.updates <= 216  # the call of 8 in which it came to be
    steps = run.checkpoints.steps()
    assert steps
    newest = load_file(tmp_path / "checkpoints" / f"{steps[-1]:09d}" / "arrays.safetensors")
    assert all(np.isfinite(array).all() for array in newest.values())


def test_the_best_weights_are_kept(tmp_path: Path) -> None:
    """`save_best` is called when a validation is better than all before, and only then."""
    run, kept = Run(tmp_path, DECISIONS), []

    def keep(learner: Learner, facts: dict[str, Any]) -> None:
        kept.append(facts["mean"])
        assert facts["updates"] == learner.updates

    run.trainer.save_best = keep
    run.train()
    rows = [line.split(",") for line in (tmp_path / "validation.csv").read_text().split()[1:]]
    means = [float(row[3]) for row in rows]
    assert kept == [m for i, m in enumerate(means) if all(m > earlier for earlier in means[:i])]
    assert run.trainer.best_score == max(means)
    assert [int(row[0]) for row in rows] == [2016, 2880]  # every 2000 decisions, and the end
