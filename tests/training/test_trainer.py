"""The trainer: stopped, resumed, damaged or poisoned, in the corridor."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from agents.learner import Learned, Learner, Weights
from agents.td import double_q_learning
from safetensors.numpy import load_file
from training.tracking.journal import BEST, Journal

from agents.backend import tf
from agents.replay import Batch
from racing.spec import Step
from tests.support.corridor import Corridor, Run, drive_there
from tests.training.tracking.test_events import read as read_events
from training.actors.actor import Rollout
from training.actors.driving import Drive
from training.actors.pool import LocalPool
from training.runs.checkpoint import CheckpointError
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
        "arrays": {name: array.tobytes() for name, array in load_file(newest).items()},
        "episodes": (run.folder / "episodes.csv").read_text(),
        "validations": [[*row[:2], *row[3:]] for row in validations],
        "events": events,
        "best": (run.folder / BEST).read_bytes(),
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

    class Impatient(LocalPool):
        def finish(self) -> list[Rollout]:
            if run.trainer.decisions + 48 >= decisions:
                run.trainer.stop()
            return super().finish()

    with Journal(folder, DECISIONS) as journal:
        run.describe(journal)
        run.trainer.run(Impatient(run.trainer.spec), journal, run.checkpoints)
    assert run.checkpoints.steps()[-1] == decisions
    return run


@pytest.mark.slow
def test_stopped_and_resumed_it_is_the_same(tmp_path: Path, undisturbed: dict[str, Any]) -> None:
    """Whatever became of the logs and the best weights in between: a checkpoint has them."""
    stopped_at(tmp_path, 2064)
    whole = (tmp_path / "episodes.csv").read_bytes()
    (tmp_path / "episodes.csv").write_bytes(whole[:500] + b"\xff\x00,past,the,checkpoint\n")
    (tmp_path / "validation.csv").unlink()
    (tmp_path / BEST).write_bytes(b"rotten")
    again = Run(tmp_path, DECISIONS)
    again.train(resume=True)
    assert outcome(again) == undisturbed


@pytest.mark.slow
def test_killed_in_a_validation_and_resumed(tmp_path: Path, undisturbed: dict[str, Any]) -> None:
    """A stop does not wait for a validation; who resumes makes it again."""
    run = Run(tmp_path, DECISIONS)

    class Impatient(LocalPool):
        def validate(self, weights: Weights, tracks: list[int]) -> list[Drive]:
            run.trainer.stop()
            pytest.fail("the validation went on")

    with Journal(tmp_path, DECISIONS) as journal:
        run.describe(journal)
        run.trainer.run(Impatient(run.trainer.spec), journal, run.checkpoints)
    assert run.trainer.decisions == run.checkpoints.steps()[-1] == 2016
    assert (tmp_path / "validation.csv").read_text().count("\n") == 1
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


NAN = math.nan


def bad_reward(run: Run, patch: pytest.MonkeyPatch) -> None:
    """The world pays what is no number."""
    decide = Corridor.decide

    def poisoned(world: Corridor, action: int, look: bool = True) -> Step:
        step = decide(world, action, look)
        return replace(step, reward=NAN) if run.trainer.learner.updates > 300 else step

    patch.setattr(Corridor, "decide", poisoned)


def bad_observation(run: Run, patch: pytest.MonkeyPatch) -> None:
    """A camera gives numbers that are none."""
    decide = Corridor.decide

    def poisoned(world: Corridor, action: int, look: bool = True) -> Step:
        step = decide(world, action, look)
        if run.trainer.learner.updates > 300:
            world.observation = np.full(world.observation.shape, NAN)
        return step

    patch.setattr(Corridor, "decide", poisoned)


def bad_replay(run: Run, patch: pytest.MonkeyPatch) -> None:
    """What is remembered rots."""
    learn = Learner.learn

    def poisoned(learner: Learner, batch: Batch, *rest: Any) -> Learned:
        if learner.updates > 300:
            batch.n_step_return[5] = math.inf
        return learn(learner, batch, *rest)

    patch.setattr(Learner, "learn", poisoned)


def bad_gradient(run: Run, patch: pytest.MonkeyPatch) -> None:
    """The loss is a number, its gradient is none."""
    count = tf.Variable(0)

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def poison(x: tf.Tensor) -> Any:
        return x, lambda upstream: tf.where(count > 300, NAN, upstream)

    def td_error(*arguments: Any) -> tf.Tensor:
        count.assign_add(1)
        return poison(double_q_learning(*arguments))

    patch.setattr(run.trainer.learner, "_td_error", td_error)


def bad_weights(run: Run, patch: pytest.MonkeyPatch) -> None:
    """An update spoils the averaged weights, which no loss sees, and whose values look like values."""
    learn = Learner.learn

    def poisoned(learner: Learner, *arguments: Any) -> Learned:
        learned = learn(learner, *arguments)
        if learner.updates > 300:
            kernel = learner.average.variables[0]
            kernel.assign_add(tf.fill(kernel.shape, NAN))
        return learned

    patch.setattr(Learner, "learn", poisoned)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("poison", "named"),
    [
        (bad_reward, r"on track \d+, decision \d+ of its episode, the reward is nan"),
        (bad_observation, "an observation is float64"),
        (bad_replay, r"the mean loss is (nan|inf)"),
        (bad_gradient, "mean norm nan"),
        (bad_weights, "conv_0/kernel is not finite"),
    ],
)
def test_what_is_no_number_ends_the_run_and_what_was_saved_is_good(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    poison: Callable[[Run, pytest.MonkeyPatch], None],
    named: str,
) -> None:
    run = Run(tmp_path, DECISIONS, validate_every=500)
    poison(run, monkeypatch)
    with pytest.raises(
        TrainingError, match=rf"^after [\d,]+ decisions and [\d,]+ updates: .*{named}"
    ):
        run.train()
    assert 300 <= run.trainer.learner.updates <= 400, "noticed late"
    steps = run.checkpoints.steps()
    assert steps == [960, 1920]
    for step in steps:
        saved = load_file(tmp_path / "checkpoints" / f"{step:09d}" / "arrays.safetensors")
        assert all(np.isfinite(array).all() for array in saved.values())
    assert np.isfinite(np.frombuffer((tmp_path / BEST).read_bytes(), np.float32)).all()
    monkeypatch.undo()
    drive_there(monkeypatch)
    again = Run(tmp_path, DECISIONS, validate_every=500)
    again.train(resume=True)
    assert again.checkpoints.steps()[-1] == DECISIONS


def test_a_save_refuses_what_is_no_number(tmp_path: Path) -> None:
    run = stopped_at(tmp_path, 960)
    run.trainer.decisions += 1
    run.trainer.learner.average.variables[0].assign_add(
        tf.fill(run.trainer.learner.average.variables[0].shape, NAN)
    )
    with (
        Journal(tmp_path, DECISIONS) as journal,
        pytest.raises(TrainingError, match="average/conv_0/kernel is not finite"),
    ):
        run.trainer.save(journal, run.checkpoints)
    assert run.checkpoints.steps() == [0, 960]


def test_the_best_weights_are_kept(tmp_path: Path) -> None:
    """They are packed when a validation is better than all before, and only then."""
    run, kept = Run(tmp_path, DECISIONS), []

    def pack(learner: Learner, facts: dict[str, Any]) -> bytes:
        kept.append(facts["mean"])
        assert facts["updates"] == learner.updates
        return b"%d" % len(kept)

    run.trainer.pack_best = pack
    run.train()
    rows = [line.split(",") for line in (tmp_path / "validation.csv").read_text().split()[1:]]
    means = [float(row[3]) for row in rows]
    assert kept == [m for i, m in enumerate(means) if all(m > earlier for earlier in means[:i])]
    assert (tmp_path / BEST).read_bytes() == b"%d" % len(kept)
    assert run.trainer.best_score == max(means)
    assert [int(row[0]) for row in rows] == [2016, 2880]  # every 2000 decisions, and the end
