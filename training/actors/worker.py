"""Workers carry out tasks, in this process or in another one."""

from __future__ import annotations

import contextlib
import multiprocessing
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from agents.backend import set_up_tensorflow
from agents.network import Weights
from racing.spec import DrivingError
from system.processes import STOP_SIGNALS, blocked_signals, cause_of_death, end_with_parent
from training.actors.actor import Actor, ActorState, Rollout, in_step
from training.actors.driving import ActorSpec, Drive, DrivingNetwork, drive_greedily

CARS_AT_ONCE = 16  # in a validation, to bound its memory
SECONDS_TO_ANSWER = 900.0  # a rollout takes seconds, a validation a minute or two
SECONDS_TO_DIE = 5.0  # after its pipe was closed


@dataclass(frozen=True)
class Request:
    """A request for a rollout: the actor, its initial state, and each car's exploration rate, float64 [N]."""

    actor: int
    state: ActorState
    epsilon: NDArray[np.float64]


@dataclass(frozen=True)
class RolloutTask:
    """Rollouts of some actors with the same weights, `steps` decisions per car."""

    weights: Weights
    requests: list[Request]
    steps: int


@dataclass(frozen=True)
class ValidationTask:
    """Whole greedy episodes on some tracks."""

    weights: Weights
    tracks: list[int]


Task = RolloutTask | ValidationTask
Answer = list[Rollout] | Drive | DrivingError


class WorkerLostError(Exception):
    """A worker died or does not answer; the message names it and says what is known of its end."""


class NoCapacityError(Exception):
    """There is no capacity for another worker, for now."""


class Worker(Protocol):
    """Works on one task at a time. The answer depends only on the task, not on the worker."""

    def ask(self, task: Task) -> None:
        """Hand over a task; returns at once if the work is done in another process."""
        ...

    def answer(self) -> Answer:
        """Wait for the answer.

        Raises:
            WorkerLostError: If the worker died or hangs.
        """
        ...

    def restart(self) -> None:
        """Replace the lost process, and start the same task again.

        Raises:
            NoCapacityError: If there is no capacity for one; the worker may rejoin the pool later.
        """
        ...

    def end(self) -> None:
        """Stop for good."""
        ...


class RolloutWorker:
    """Carries out the tasks of one process, with its actors and the network that they share."""

    def __init__(self, spec: ActorSpec) -> None:
        self.spec = spec
        self.on_progress: Callable[[int], None] = lambda done: None  # of validation episodes
        self._network: DrivingNetwork | None = None
        self._actors: dict[int, Actor] = {}

    def run(self, task: Task) -> Answer:
        """Work on a task.

        Raises:
            DrivingError: If driving produced NaN or infinity.
        """
        if self._network is None:
            self._network = DrivingNetwork(self.spec)
        self._network.load(task.weights)
        if isinstance(task, ValidationTask):
            return self._validate(self._network, task.tracks)
        for r in task.requests:
            if r.actor not in self._actors:
                self._actors[r.actor] = Actor(self.spec)
        drivings = [
            self._actors[r.actor].rollout(r.state, task.steps, r.epsilon) for r in task.requests
        ]
        return in_step(drivings, self._network)

    def _validate(self, network: DrivingNetwork, tracks: list[int]) -> Drive:
        drives = [
            drive_greedily(
                self.spec,
                network,
                tracks[i : i + CARS_AT_ONCE],
                lambda done, before=i: self.on_progress(before + done),  # type: ignore[misc]
            )
            for i in range(0, len(tracks), CARS_AT_ONCE)
        ]
        return Drive([e for drive in drives for e in drive.episodes], drives[0].film)


class LocalWorker:
    """Works in this process, when `answer` is called."""

    def __init__(self, spec: ActorSpec) -> None:
        self.rollout_worker = RolloutWorker(spec)
        self._task: Task | None = None

    def ask(self, task: Task) -> None:
        """Note the task."""
        self._task = task

    def answer(self) -> Answer:
        """Carry out the task and return its answer."""
        assert self._task is not None, "answer() follows ask()"
        return self.rollout_worker.run(self._task)

    def restart(self) -> None:
        """Never called: a process cannot lose itself."""
        raise NotImplementedError

    def end(self) -> None:
        """Nothing to stop."""


class ProcessWorker:
    """Works in a process of its own, which starts to load TensorFlow at once.

    Args:
        spec: Specification of the actors.
        threads: Number of TensorFlow threads.
    """

    def __init__(self, spec: ActorSpec, threads: int) -> None:
        self._start = (spec, threads)
        self._task: Task | None = None
        self._sender: threading.Thread | None = None
        self._spawn()

    def _spawn(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs, *self._start), daemon=True)
        with blocked_signals(*STOP_SIGNALS):  # only the trainer reacts to them
            process.start()
        self._process = process  # set only after a successful start, because `end` kills it
        theirs.close()

    def ask(self, task: Task) -> None:
        """Hand over a task; returns at once, even if the process is not reading."""
        self._task = task
        sent = ForkingPickler.dumps(task)  # now, because the weights keep changing
        self._sender = threading.Thread(target=_send, args=(self._pipe, sent), daemon=True)
        self._sender.start()

    def answer(self) -> Answer:
        """Wait for the answer of the process."""
        try:
            if self._pipe.poll(SECONDS_TO_ANSWER):
                answer: Answer = self._pipe.recv()
                return answer
            end = f"hung: no answer for {SECONDS_TO_ANSWER:.0f} s"
        except (EOFError, OSError):
            self._process.join(SECONDS_TO_DIE)
            end = f"died ({cause_of_death(self._process.exitcode)})"
        raise WorkerLostError(f"worker process {self._process.pid} {end}")

    def restart(self) -> None:
        """Kill what is left, start another process, and give it the same task."""
        self.end()
        self._spawn()
        if self._task is not None:
            self.ask(self._task)

    def end(self) -> None:
        """Kill the process."""
        self._process.kill()
        self._process.join()
        if self._sender:
            self._sender.join()  # otherwise it could write into the next process's pipe
        self._pipe.close()


def _send(pipe: Connection, task: memoryview) -> None:
    with contextlib.suppress(OSError):  # if the process is dead, answer() will notice
        pipe.send_bytes(task)


def _work(pipe: Connection, spec: ActorSpec, threads: int) -> None:
    """The main function of a worker process: carries out tasks until the trainer is gone."""
    end_with_parent()
    set_up_tensorflow(threads, "cpu")
    worker = RolloutWorker(spec)
    try:
        while True:
            pipe.send(run_task(worker, pipe.recv()))
    except (EOFError, OSError):
        return


def run_task(worker: RolloutWorker, task: Task) -> Answer:
    """Return the answer, or the error, which is not retried: another process would fail in the same way."""
    try:
        return worker.run(task)
    except DrivingError as e:
        return e
    except Exception as e:
        return DrivingError("".join(traceback.format_exception_only(e)).strip())
