"""The pool: shares work among workers, in a fixed order, and has it done again when a worker is lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from agents.network import Weights
from racing.spec import DrivingError
from training.actors.actor import Rollout
from training.actors.driving import ActorSpec, Drive
from training.actors.worker import (
    LocalWorker,
    Request,
    RolloutTask,
    ValidationTask,
    Worker,
    WorkerLostError,
)

MOST_RESTARTS_PER_TASK = 5


class WorkerError(RuntimeError):
    """A worker was lost again and again on the same task."""


class Pool:
    """Actors wherever they are; the result depends neither on the number of workers nor on their place.

    Args:
        spec: Of the actors.
        workers: Do the work; this process where there are none.
        say: Told when a worker had to be started again.
    """

    def __init__(
        self,
        spec: ActorSpec,
        workers: Sequence[Worker],
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.spec, self._say = spec, say
        self._here = LocalWorker(spec)
        self._workers = list(workers) or [self._here]
        self._shares: list[list[Request]] = []

    def start(self, requests: list[Request], weights: Weights, steps: int) -> None:
        """Ask for a rollout of every request, of `steps` items per car; returns at once where it can."""
        count = len(self._workers)
        self._shares = [requests[i::count] for i in range(count)]
        for worker, share in zip(self._workers, self._shares, strict=True):
            if share:
                worker.ask(RolloutTask(weights, share, steps))

    def finish(self) -> list[Rollout]:
        """The rollouts that were asked for, in the order of the actors.

        Raises:
            DrivingError: If driving gave NaN or infinity.
            WorkerError: If a worker was lost again and again.
        """
        by_actor: dict[int, Rollout] = {}
        for worker, share in zip(self._workers, self._shares, strict=True):
            if share:
                numbers = (request.actor for request in share)
                by_actor |= zip(numbers, self._answer(worker), strict=True)
        return [by_actor[actor] for actor in sorted(by_actor)]

    def validate(
        self,
        weights: Weights,
        tracks: list[int],
        tell: Callable[[int, int], None] = lambda done, total: None,
    ) -> Drive:
        """Whole greedy episodes on every track; this process, which would only wait, takes its share.

        Args:
            weights: Drive.
            tracks: Reset seeds.
            tell: Called often with the episodes done here and all of them here.

        Raises:
            DrivingError: If driving gave NaN or infinity.
            WorkerError: If a worker was lost again and again.
        """
        others = [worker for worker in self._workers if worker is not self._here]
        busy = [self._here, *others][: len(tracks)]
        for i, worker in reversed(list(enumerate(busy))):
            worker.ask(ValidationTask(weights, tracks[i :: len(busy)]))
        own = len(tracks[:: len(busy)])
        self._here.crew.tell = lambda done: tell(done, own)
        drives: list[Drive] = [self._answer(worker) for worker in busy]
        episodes = {e.track: e for drive in drives for e in drive.episodes}
        return Drive([episodes[track] for track in tracks], drives[0].film)

    def _answer(self, worker: Worker) -> Any:
        for _ in range(MOST_RESTARTS_PER_TASK):
            try:
                answer = worker.answer()
            except WorkerLostError as lost:
                worker.restart()
                self._say(f"{lost} died or hung; another one does its work again")
                continue
            if isinstance(answer, DrivingError):
                raise answer
            return answer
        raise WorkerError(f"a worker was lost {MOST_RESTARTS_PER_TASK} times on one task")

    def close(self) -> None:
        """End all workers; a second time changes nothing."""
        for worker in self._workers:
            worker.end()
        self._workers = []
