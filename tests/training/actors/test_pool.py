"""Worker processes that hang: real ones, stopped by the system."""

from __future__ import annotations

import errno
import os
import signal
import time
from multiprocessing.context import SpawnProcess

import numpy as np
import pytest

import DDQN
import training.actors.pool
from benchmarks.survival.kills import workers_of
from training.actors.actor import first_state
from training.actors.pool import ActorPool, LocalPool, Request, WorkerPool

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


def test_a_worker_that_cannot_start_again_is_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system has no room for another process; and those that are there can still be ended."""
    settings = DDQN.Settings(
        cars=2, stack=2, convolutions=((4, 4, 2),), dense=(8,), replay_decisions=10_000
    )
    trainer = DDQN.build(settings)
    state = first_state(trainer.spec, np.random.SeedSequence(1))
    pool = WorkerPool(trainer.spec, 2, 1, print)
    try:
        while len(workers := workers_of(os.getpid())) < 2:
            time.sleep(0.01)

        def full(_: object) -> None:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

        monkeypatch.setattr(SpawnProcess, "start", full)
        pool.start([Request(0, state, np.full(2, 0.5))], trainer.learner.driving_weights(), 8)
        os.kill(min(workers), signal.SIGKILL)
        with pytest.raises(BlockingIOError):
            pool.finish()
    finally:
        pool.close()
    assert not workers_of(os.getpid())


def test_a_worker_that_hangs_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another one makes the same rollout; the one that hangs did not even read what it was asked for."""
    settings = DDQN.Settings(
        cars=2, stack=2, convolutions=((4, 4, 2),), dense=(256,), replay_decisions=10_000
    )
    trainer = DDQN.build(settings)
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        monkeypatch.setattr(training.actors.pool, "SECONDS_TO_ANSWER", 900)  # time to start

    def scores(pool: ActorPool) -> bytes:
        rollout = pool.finish()[0]
        return rollout.trajectory.frame.tobytes() + rollout.trajectory.reward.tobytes()

    weights = trainer.learner.driving_weights()
    assert sum(array.nbytes for array in weights.values()) > 1 << 20  # more than a pipe holds
    state = first_state(trainer.spec, np.random.SeedSequence(1))
    request = ([Request(0, state, np.full(2, 0.5))], weights, 8)
    here, pool = LocalPool(trainer.spec), WorkerPool(trainer.spec, 1, 1, say)
    try:
        while not (workers := workers_of(os.getpid())):
            time.sleep(0.01)  # a moment after its start it is not yet itself
        (worker,) = workers
        os.kill(worker, signal.SIGSTOP)
        pool.start(*request)
        monkeypatch.setattr(training.actors.pool, "SECONDS_TO_ANSWER", 1)
        found = scores(pool)
    finally:
        pool.close()
    here.start(*request)
    assert found == scores(here)
    assert said == [f"worker process {worker} died or hung; another one makes its rollouts again"]
    assert not workers_of(os.getpid())
