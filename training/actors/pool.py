"""Where the actors live: in this process, or in worker processes. The trainer does not know which."""

from __future__ import annotations

import contextlib
import multiprocessing
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from agents.learner import Weights
from racing.world import DrivingError
from system.processes import STOP_SIGNALS, children_deaf_to, end_with_parent
from training.actors.actor import Actor, ActorState, Rollout
from training.actors.driving import ActorSpec, Drive, DrivingNetwork, drive_greedily

MOST_RESTARTS_PER_REQUEST = 5
SECONDS_TO_ANSWER = 900.0  # a rollout takes seconds, a validation a minute or two: then it hangs


class WorkerError(RuntimeError):
    """A worker process died, or hung, again and again on the same request."""


@dataclass(frozen=True)
class Request:
    """A rollout that is asked for: which actor, from where, how careless each car is, float64 [N]."""

    actor: int
    state: ActorState
    epsilons: NDArray[np.float64]


class ActorPool(Protocol):
    """Drives actors."""

    def start(self, requests: list[Request], weights: Weights, slots: int) -> None:
        """Ask every actor for a rollout of `slots` items per car; returns at once where it can."""
        ...

    def finish(self) -> list[Rollout]:
        """The rollouts that were asked for, in the order of the requests."""
        ...

    def validate(self, weights: Weights, tracks: list[int]) -> list[Drive]:
        """Whole greedy episodes on every track, in groups."""
        ...

    def close(self) -> None:
        """End all processes."""
        ...


class Crew:
    """The actors of one process and the network that they share."""

    def __init__(self, spec: ActorSpec) -> None:
        self.spec = spec
        self._network = DrivingNetwork(spec)
        self._actors: dict[int, Actor] = {}

    def rollouts(self, requests: list[Request], weights: Weights, slots: int) -> list[Rollout]:
        """Drive one actor after the other."""
        done = []
        for r in requests:
            if r.actor not in self._actors:
                self._actors[r.actor] = Actor(self.spec, self._network)
            done.append(self._actors[r.actor].rollout(r.state, weights, slots, r.epsilons))
        return done

    def validate(self, weights: Weights, tracks: list[int]) -> Drive:
        """Whole greedy episodes on at most N tracks."""
        return drive_greedily(self.spec, self._network, weights, tracks)


class LocalPool:
    """All actors in this process: nothing overlaps, and the result is the same."""

    def __init__(self, spec: ActorSpec) -> None:
        self._crew = Crew(spec)
        self._asked: tuple[list[Request], Weights, int] | None = None

    def start(self, requests: list[Request], weights: Weights, slots: int) -> None:
        """Note what is asked for."""
        self._asked = (requests, weights, slots)

    def finish(self) -> list[Rollout]:
        """Drive."""
        assert self._asked is not None, "finish() follows start()"
        asked, self._asked = self._asked, None
        return self._crew.rollouts(*asked)

    def validate(self, weights: Weights, tracks: list[int]) -> list[Drive]:
        """Whole greedy episodes on every track, in groups."""
        return [self._crew.validate(weights, part) for part in _parts(tracks, self._crew)]

    def close(self) -> None:
        """Nothing to end."""


class WorkerPool:
    """Actors in worker processes, started again when they die or hang: a rollout depends on its request alone.

    Args:
        spec: Of the actors.
        workers: Number of processes.
        threads: TensorFlow's, in each of them.
        say: Told when a process had to be started again.
    """

    def __init__(
        self, spec: ActorSpec, workers: int, threads: int, say: Callable[[str], None]
    ) -> None:
        self.spec, self._say = spec, say
        self._crew = Crew(spec)
        self._workers = [_Worker(spec, threads) for _ in range(workers)]
        self._shares: list[list[Request]] = []

    def start(self, requests: list[Request], weights: Weights, slots: int) -> None:
        """Send every worker its share."""
        count = len(self._workers)
        self._shares = [requests[i::count] for i in range(count)]
        for worker, share in zip(self._workers, self._shares, strict=True):
            worker.ask(("rollouts", share, weights, slots))

    def finish(self) -> list[Rollout]:
        """Wait for all."""
        answers = [self._answer(w) for w in self._workers]
        by_actor = {
            request.actor: rollout
            for share, answer in zip(self._shares, answers, strict=True)
            for request, rollout in zip(share, answer, strict=True)
        }
        return [by_actor[actor] for actor in sorted(by_actor)]

    def validate(self, weights: Weights, tracks: list[int]) -> list[Drive]:
        """Whole greedy episodes on every track, in groups; this process, which would only wait, takes its share."""
        parts = _parts(tracks, self)
        drives: list[Drive] = []
        for first in range(0, len(parts), len(self._workers) + 1):
            ours, *theirs = parts[first : first + len(self._workers) + 1]
            asked = self._workers[: len(theirs)]
            for worker, part in zip(asked, theirs, strict=True):
                worker.ask(("validate", weights, part))
            drives.append(self._crew.validate(weights, ours))
            drives += [self._answer(worker) for worker in asked]
        return drives

    def _answer(self, worker: _Worker) -> Any:
        for _ in range(MOST_RESTARTS_PER_REQUEST):
            try:
                answer = worker.answer()
            except (EOFError, OSError):
                died = worker.restart()
                self._say(
                    f"worker process {died} died or hung; another one makes its rollouts again"
                )
                continue
            if isinstance(answer, DrivingError):
                raise answer
            return answer
        raise WorkerError(f"a worker process died {MOST_RESTARTS_PER_REQUEST} times on one request")

    def close(self) -> None:
        """End all processes."""
        for worker in self._workers:
            worker.end()


class _Worker:
    """A process and the request that it works on."""

    def __init__(self, spec: ActorSpec, threads: int) -> None:
        self._start = (spec, threads)
        self._request: Any = None
        self._sender: threading.Thread | None = None
        self._spawn()

    def _spawn(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs, *self._start), daemon=True)
        with children_deaf_to(*STOP_SIGNALS):  # the trainer decides
            process.start()
        self._process = process  # one that did not start cannot be ended
        theirs.close()

    def ask(self, request: Any) -> None:
        """Returns at once, also where the process does not read."""
        self._request = request
        sent = ForkingPickler.dumps(request)  # now: the weights go on changing
        self._sender = threading.Thread(target=_send, args=(self._pipe, sent), daemon=True)
        self._sender.start()

    def answer(self) -> Any:
        if not self._pipe.poll(SECONDS_TO_ANSWER):
            raise EOFError
        return self._pipe.recv()

    def restart(self) -> int | None:
        died = self._process.pid
        self.end()
        self._spawn()
        self.ask(self._request)
        return died

    def end(self) -> None:
        self._process.kill()
        self._process.join()
        if self._sender:
            self._sender.join()  # hears of it; later its bytes could meet the next process's pipe
        self._pipe.close()


def _send(pipe: Connection, request: Any) -> None:
    with contextlib.suppress(OSError):  # a dead one: answer() will notice
        pipe.send_bytes(request)


def _work(pipe: Connection, spec: ActorSpec, threads: int) -> None:
    """A worker process: answers until its trainer is gone."""
    end_with_parent()
    from agents.tensorflow_setup import set_up_tensorflow

    set_up_tensorflow(threads, "cpu")
    crew = Crew(spec)
    try:
        while True:
            kind, *arguments = pipe.recv()
            pipe.send(_done(crew, kind, arguments))
    except (EOFError, OSError):
        return


def _done(crew: Crew, kind: str, arguments: list[Any]) -> Any:
    """What was asked for, or why not: another process would fail in the same way."""
    try:
        return getattr(crew, kind)(*arguments)
    except DrivingError as e:
        return e
    except Exception as e:
        return DrivingError("".join(traceback.format_exception_only(e)).strip())


def _parts(tracks: list[int], crew: Crew | WorkerPool) -> list[list[int]]:
    """Tracks in groups of one network batch each, so that the groups do not depend on the workers."""
    size = crew.spec.cars
    return [tracks[i : i + size] for i in range(0, len(tracks), size)]
