"""The pool: who works on what, and workers that are lost. Real processes where processes are the matter."""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import DDQN
import training.actors.worker
from agents.network import Weights, build_q_network, weights_of
from racing.spec import DrivingError, Step, WorldSpec
from racing.world import World
from system.processes import children_of
from tests.support.corridor import Corridor, as_world, ddqn, make_corridor
from training.actors.actor import Rollout, first_state
from training.actors.driving import ActorSpec, Drive
from training.actors.pool import MOST_RESTARTS_PER_TASK, Pool, WorkerError
from training.actors.worker import (
    Answer,
    LocalWorker,
    ProcessWorker,
    Request,
    Worker,
    WorkerLostError,
)
from training.session import MakeWorld, actor_spec

pytestmark = pytest.mark.timeout(1200)
ACTORS, CARS, STEPS = 5, 3, 7


def spec_of(make_world: MakeWorld = make_corridor, **settings: Any) -> ActorSpec:
    """Of actors of three cars each."""
    wanted = ddqn(Path(), cars=ACTORS * CARS, cars_per_actor=CARS, **settings)
    return actor_spec(wanted, DDQN.DDQN, make_world)


def weights_for(spec: ActorSpec) -> Weights:
    """Some, which drive."""
    shape = (spec.world.stack, spec.world.height, spec.world.width)
    return weights_of(build_q_network(spec.network, shape, 5, seed=3))


def requests(spec: ActorSpec) -> list[Request]:
    """One of each actor."""
    seeds = np.random.SeedSequence(1).spawn(ACTORS)
    return [
        Request(i, first_state(spec, seed), np.full(CARS, 0.1 * i)) for i, seed in enumerate(seeds)
    ]


def plain(rollouts: list[Rollout]) -> list[Any]:
    """As values that compare."""
    arrays = [[a.tobytes() for a in vars(r.trajectory).values()] for r in rollouts]
    return [(a, r.state, r.episodes, r.mean_q) for a, r in zip(arrays, rollouts, strict=True)]


def as_values(drive: Drive) -> list[Any]:
    return [drive.episodes, drive.film.tobytes()]


@contextmanager
def pool_of(
    workers: list[Worker], spec: ActorSpec, messages: list[str] | None = None
) -> Iterator[Pool]:
    """A pool that is closed, whatever happens."""
    pool = Pool(spec, workers, messages.append if messages is not None else lambda _: None)
    try:
        yield pool
    finally:
        pool.close()


def ticks(pool: Pool, weights: Weights) -> list[Any]:
    """Two rollouts of all actors, one after the other, and a validation."""
    asked, found = requests(pool.spec), []
    for _ in range(2):
        pool.submit(asked, weights, STEPS)
        rollouts = pool.collect()
        found += plain(rollouts)
        asked = [Request(q.actor, r.state, q.epsilon) for q, r in zip(asked, rollouts, strict=True)]
    return found + as_values(pool.validate(weights, list(range(10_000, 10_010))))


@pytest.mark.parametrize("count", [1, 2, 3, 5, 7])
def test_the_number_of_workers_changes_nothing(count: int) -> None:
    """More than there are actors, too; with workers in this process, which are as good as any."""
    spec = spec_of()
    weights = weights_for(spec)
    with (
        pool_of([], spec) as here,
        pool_of([LocalWorker(spec) for _ in range(count)], spec) as shared,
    ):
        assert ticks(shared, weights) == ticks(here, weights)


@pytest.mark.slow
def test_the_place_of_the_workers_changes_nothing() -> None:
    """Two processes; one is killed on its way, and the same comes of it."""
    spec, messages = spec_of(), list[str]()
    weights = weights_for(spec)
    with pool_of([], spec) as here:
        expected = ticks(here, weights)
    workers: list[Worker] = [ProcessWorker(spec, 1) for _ in range(2)]
    with pool_of(workers, spec, messages) as pool:
        assert ticks(pool, weights) == expected
        assert messages == []
        victim = min(children_of(os.getpid()))
        os.kill(victim, signal.SIGKILL)
        assert ticks(pool, weights) == expected
    why = "died (killed by SIGKILL: out of memory?); another worker repeats its task"
    assert messages == [f"worker process {victim} {why}"]
    assert not children_of(os.getpid())


@pytest.mark.slow
def test_a_worker_that_cannot_start_again_is_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system has no room for another process; and those that are there can still be ended."""
    spec = spec_of()
    workers: list[Worker] = [ProcessWorker(spec, 1) for _ in range(2)]
    with pool_of(workers, spec) as pool:
        while len(children := children_of(os.getpid())) < 2:
            time.sleep(0.01)

        def full(_: object) -> None:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

        monkeypatch.setattr(SpawnProcess, "start", full)
        pool.submit(requests(spec), weights_for(spec), STEPS)
        os.kill(min(children), signal.SIGKILL)
        with pytest.raises(BlockingIOError):
            pool.collect()
    assert not children_of(os.getpid())


@pytest.mark.slow
def test_a_worker_that_hangs_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another one makes the same rollouts; the one that hangs did not even read what it was asked for."""
    spec, messages = spec_of(dense=(6000,)), list[str]()
    weights = weights_for(spec)
    assert sum(array.nbytes for array in weights.values()) > 1 << 20  # more than a pipe holds

    def notify(line: str) -> None:
        messages.append(line)
        monkeypatch.setattr(training.actors.worker, "SECONDS_TO_ANSWER", 900)  # time to start

    with pool_of([], spec) as here:
        here.submit(requests(spec), weights, STEPS)
        expected = plain(here.collect())
    pool = Pool(spec, [ProcessWorker(spec, 1)], notify)
    try:
        while not (children := children_of(os.getpid())):
            time.sleep(0.01)  # a moment after its start it is not yet itself
        (worker,) = children
        os.kill(worker, signal.SIGSTOP)
        pool.submit(requests(spec), weights, STEPS)
        monkeypatch.setattr(training.actors.worker, "SECONDS_TO_ANSWER", 1)
        assert plain(pool.collect()) == expected
    finally:
        pool.close()
    why = "hung: no answer for 1 s; another worker repeats its task"
    assert messages == [f"worker process {worker} {why}"]
    assert not children_of(os.getpid())


class Mortal(LocalWorker):
    """A worker that is lost so many times before it answers."""

    def __init__(self, spec: ActorSpec, deaths: int) -> None:
        super().__init__(spec)
        self.deaths, self.restarts = deaths, 0

    def answer(self) -> Answer:
        """Or die."""
        if self.deaths:
            self.deaths -= 1
            raise WorkerLostError("worker process 7 died")
        return super().answer()

    def restart(self) -> None:
        """Be there again."""
        self.restarts += 1


def test_the_last_try_counts() -> None:
    spec, messages = spec_of(), list[str]()
    weights = weights_for(spec)
    mortal = Mortal(spec, MOST_RESTARTS_PER_TASK - 1)
    with pool_of([], spec) as here, pool_of([LocalWorker(spec), mortal], spec, messages) as pool:
        assert ticks(pool, weights) == ticks(here, weights)
    assert mortal.restarts == len(messages) == MOST_RESTARTS_PER_TASK - 1


@pytest.mark.parametrize("what", ["a rollout", "a validation"])
def test_five_losses_on_one_task_end_the_run(what: str) -> None:
    """Whatever it is in that task, it would go on for ever; on two tasks they are no pattern."""
    spec, messages = spec_of(), list[str]()
    weights = weights_for(spec)
    mortal = Mortal(spec, MOST_RESTARTS_PER_TASK)
    with pool_of([mortal], spec, messages) as pool:
        why = "a worker was lost 5 times on one task; worker process 7 died"
        with pytest.raises(WorkerError, match=why):
            if what == "a rollout":
                pool.submit(requests(spec), weights, STEPS)
                pool.collect()
            else:
                pool.validate(weights, list(range(10_000, 10_010)))
        assert len(messages) == MOST_RESTARTS_PER_TASK == 5
        for deaths in (3, 4):
            mortal.deaths = deaths
            pool.submit(requests(spec), weights, STEPS)
            assert len(pool.collect()) == ACTORS


class Broken(Corridor):
    """A world in which something nobody thought of happens at some time."""

    def step(self, action: int, render: bool = True) -> Step:
        """Fail at the third decision."""
        if self.frames == 2:
            raise IndexError("no such\ntile")
        return super().step(action, render)


def make_broken(spec: WorldSpec) -> World:
    """A `make_world` for a run."""
    return as_world(Broken(spec))


@pytest.mark.slow
def test_a_worker_tells_what_went_wrong() -> None:
    """An error is no death: another process would fail in the same way. It works on afterwards."""
    spec, messages = spec_of(make_broken), list[str]()
    weights = weights_for(spec)
    with pool_of([ProcessWorker(spec, 1)], spec, messages) as pool:
        for _ in range(2):
            pool.submit(requests(spec), weights, STEPS)
            with pytest.raises(DrivingError, match=r"^IndexError: no such\ntile$"):
                pool.collect()
        pool.submit(requests(spec), weights, 2)
        assert len(pool.collect()) == ACTORS
    assert messages == []


def test_here_it_is_raised_as_it_is() -> None:
    spec = spec_of(make_broken)
    with pool_of([], spec) as pool:
        pool.submit(requests(spec), weights_for(spec), STEPS)
        with pytest.raises(IndexError):
            pool.collect()
