"""The trainer: stopped, resumed, damaged or poisoned, in the corridor."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file

import DDQN
from agents.backend import tf
from agents.network import QNetwork
from agents.q_agent import Metrics, QAgent
from agents.replay import Batch
from agents.weights import read_card
from racing.spec import Step, WorldSpec
from racing.world import World
from tests.support.corridor import (
    TICK,
    Corridor,
    MessageRecorder,
    StopAt,
    as_world,
    ddqn,
    drive_there,
    make_corridor,
)
from tests.support.outcome import arrays_at, checkpoints, outcome
from training.runs.checkpoint import CheckpointError
from training.runs.names import RunError
from training.runs.run_folder import BEST
from training.session import MakeWorld
from training.stop import Stop
from training.tracking.run_log import Progress, Sink
from training.trainer import TrainingError

ALL = 2880  # decisions of a run


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    done = drive_there(ddqn(tmp_path_factory.mktemp("undisturbed")))
    assert done.finished and done.decisions == ALL
    assert checkpoints(done.run) == [1920, ALL]
    return outcome(done.run)


def stopped_at(folder: Path, decisions: int, **settings: Any) -> Path:
    """A run that was asked to stop."""
    stop = StopAt(decisions)
    done = drive_there(ddqn(folder, **settings), sinks=[stop], stop=stop)
    assert not done.finished
    assert checkpoints(done.run)[-1] == done.decisions == decisions
    return done.run


def resumed(run: Path, folder: Path, *sinks: Sink, **settings: Any) -> dict[str, object]:
    """What becomes of it."""
    done = drive_there(ddqn(folder, **settings), run=run, sinks=sinks)
    assert done.finished and done.decisions == ALL
    return outcome(run)


@pytest.mark.slow
def test_stopped_and_resumed_it_is_the_same(tmp_path: Path, undisturbed: dict[str, object]) -> None:
    """Whatever became of the logs and the best weights in between: a checkpoint has them."""
    run = stopped_at(tmp_path, 2064)
    whole = (run / "episodes.csv").read_bytes()
    (run / "episodes.csv").write_bytes(whole[:500] + b"\xff\x00,past,the,checkpoint\n")
    (run / "validation.csv").unlink()
    (run / BEST).write_bytes(b"rotten")
    assert resumed(run, tmp_path) == undisturbed


@pytest.mark.slow
def test_stopped_in_a_validation_and_resumed(
    tmp_path: Path, undisturbed: dict[str, object]
) -> None:
    """A stop does not wait for a validation; who resumes makes it again."""
    stop = Stop()

    class Watched(Corridor):
        def step(self, action: int, render: bool = True) -> Step:
            if validating.began and self.frames == 1:
                stop.ask()
                pytest.fail("the validation went on")
            return super().step(action, render)

    class Validating(Sink):
        began = False

        def progress(self, progress: Progress) -> None:
            self.began = progress.phase == "validating"

    validating = Validating()
    done = drive_there(
        ddqn(tmp_path),
        sinks=[validating],
        stop=stop,
        make_world=lambda spec: as_world(Watched(spec)),
    )
    assert validating.began and not done.finished
    assert done.decisions == checkpoints(done.run)[-1] == 2016
    assert (done.run / "validation.csv").read_text().count("\n") == 1
    assert resumed(done.run, tmp_path) == undisturbed


@pytest.mark.slow
def test_a_damaged_checkpoint_costs_time_and_nothing_else(
    tmp_path: Path, undisturbed: dict[str, object]
) -> None:
    """The one before is used, and what came after is made again. Which file it is, test_checkpoint.py goes through."""
    run, messages = stopped_at(tmp_path, 1296), MessageRecorder()
    path = run / "checkpoints" / "000001296" / "arrays.safetensors"
    path.write_bytes(path.read_bytes()[:-9])
    assert resumed(run, tmp_path, messages) == undisturbed
    assert str(path) in messages.lines[0]
    assert (run / "checkpoints" / "damaged-000001296").is_dir()


def test_when_none_is_whole_all_are_named_and_nothing_is_lost(tmp_path: Path) -> None:
    run = stopped_at(tmp_path, 144, checkpoint_every=96)
    files = [run / "checkpoints" / f"{s:09d}" / "state.json" for s in checkpoints(run)]
    assert len(files) == 2
    for path in files:
        path.write_bytes(b"{}")

    def content() -> dict[Path, bytes]:
        return {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}

    before = content()
    with pytest.raises(CheckpointError) as caught:
        drive_there(ddqn(tmp_path, checkpoint_every=96), run=run)
    assert all(str(path) in str(caught.value) for path in files)
    assert before == content()


def test_nothing_to_resume(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="nowhere: No such file"):
        drive_there(ddqn(tmp_path), run=tmp_path / "nowhere")


POISONED_AT = 2064  # decisions: 296 updates were made then
NAN = math.nan


class Poison(Sink):
    """Acts from some tick on. Made afresh for every test."""

    active = False

    def progress(self, progress: Progress) -> None:
        self.active = progress.done >= POISONED_AT

    def agent(self) -> type[QAgent[Any, Any]]:
        return DDQN.DDQN

    def make_world(self, spec: WorldSpec) -> World:
        return make_corridor(spec)


class BadReward(Poison):
    """The world pays NaN."""

    def make_world(self, spec: WorldSpec) -> World:
        poison = self

        class Paying(Corridor):
            def step(self, action: int, render: bool = True) -> Step:
                step = super().step(action, render)
                return replace(step, reward=NAN) if poison.active else step

        return as_world(Paying(spec))


class BadReplay(Poison):
    """What is remembered is infinite."""

    def agent(self) -> type[QAgent[Any, Any]]:
        poison = self

        class Agent(DDQN.DDQN):
            def repeat(
                self, batch: Batch, *more: NDArray[Any]
            ) -> tuple[NDArray[np.float32], Metrics]:
                if poison.active:
                    batch.n_step_return[5] = math.inf
                return super().repeat(batch, *more)

        return Agent


class BadGradient(Poison):
    """The loss is finite, its gradient is NaN."""

    def agent(self) -> type[QAgent[Any, Any]]:
        updates = tf.Variable(0)

        @tf.custom_gradient  # type: ignore[untyped-decorator]
        def poisoned(x: tf.Tensor) -> Any:
            return x, lambda upstream: tf.where(updates > 300, NAN, upstream)

        def td_error(online: QNetwork, target: QNetwork, batch: Batch) -> tf.Tensor:
            updates.assign_add(1)
            return poisoned(DDQN.td_error(online, target, batch))

        return type("Agent", (DDQN.DDQN,), {"td_error": staticmethod(td_error)})


class BadAverage(Poison):
    """An update spoils the averaged weights, which no loss sees, and whose values look like values."""

    def agent(self) -> type[QAgent[Any, Any]]:
        poison = self

        class Agent(DDQN.DDQN):
            def repeat(
                self, batch: Batch, *more: NDArray[Any]
            ) -> tuple[NDArray[np.float32], Metrics]:
                learned = super().repeat(batch, *more)
                if poison.active:
                    kernel = self.average.variables[0]
                    kernel.assign_add(tf.fill(kernel.shape, NAN))
                return learned

        return Agent


@pytest.mark.slow
@pytest.mark.parametrize(
    ("poison", "validate_every", "named", "noticed"),
    [
        (BadReward, 500, r"on track \d+, decision \d+ of its episode, the reward is nan", 2112),
        (BadReplay, 500, r"the mean loss is (nan|inf)", 2112),
        (BadGradient, 500, "mean norm nan", 2112),
        (
            BadAverage,
            500,
            r"(?<!/)conv_0/kernel contains NaN or infinity",
            2544,
        ),  # before a validation
        (
            BadAverage,
            5000,
            "learner/average/conv_0/kernel contains NaN or infinity",
            2880,
        ),  # or a save
    ],
)
def test_nan_ends_the_run_and_what_was_saved_is_good(
    tmp_path: Path, poison: type[Poison], validate_every: int, named: str, noticed: int
) -> None:
    settings = ddqn(tmp_path, validate_every=validate_every)
    bad = poison()
    make_world: MakeWorld = bad.make_world
    with pytest.raises(
        TrainingError, match=rf"^after ([\d,]+) decisions and [\d,]+ updates: .*{named}"
    ) as e:
        drive_there(settings, bad.agent(), sinks=[bad], make_world=make_world)
    told = int(str(e.value).split()[1].replace(",", ""))
    assert POISONED_AT <= told <= noticed
    [run] = tmp_path.glob("*/*")
    assert checkpoints(run) == [960, 1920]
    for step in checkpoints(run):
        assert all(np.isfinite(array).all() for array in arrays_at(run, step).values())
    status = json.loads((run / "status.json").read_text())
    assert (status["state"], status["reason"]) == ("failed", str(e.value))
    if validate_every < 960:
        assert all(np.isfinite(array).all() for array in load_file(run / BEST).values())
    if poison is BadReward:
        done = drive_there(settings, DDQN.DDQN, run=run)
        assert done.finished and checkpoints(run)[-1] == ALL


def test_the_best_weights_are_kept(tmp_path: Path) -> None:
    """They are packed when a validation is better than all before, and only then."""

    class Watch(Sink):
        def __init__(self) -> None:
            self.means: list[float] = []
            self.kept: list[float] = []

        def validation(self, row: Any, best_before: float) -> None:
            assert best_before == max(self.means, default=-math.inf)
            self.means.append(row["mean"])

        def progress(self, progress: Progress) -> None:
            if progress.phase == "training" and len(self.kept) < len(self.means):
                [best] = tmp_path.glob(f"*/*/{BEST}")
                self.kept.append(read_card(best)["validation"]["mean"])

    watch = Watch()
    done = drive_there(ddqn(tmp_path, decisions=960, validate_every=96), sinks=[watch])
    rows = [line.split(",") for line in (done.run / "validation.csv").read_text().split()[1:]]
    assert [int(row[0]) for row in rows] == list(range(96, 961, 96))
    assert [float(row[3]) for row in rows] == watch.means
    assert watch.kept == [max(watch.means[: i + 1]) for i in range(len(watch.kept))]
    assert watch.kept != watch.means[: len(watch.kept)], "never was one worse than the best"
    assert read_card(done.run / BEST)["validation"]["mean"] == max(watch.means)
    assert done.best_validation == max(watch.means)
    assert TICK == 48
