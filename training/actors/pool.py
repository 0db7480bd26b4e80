"""The pool distributes tasks over workers, in a fixed order, and repeats the tasks of lost workers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from agents.network import Weights
from racing.spec import DrivingError
from training.actors.actor import Rollout
from training.actors.driving import ActorSpec, Drive
from training.actors.worker import (
    LocalWorker,
    NoCapacityError,
    Request,
    RolloutTask,
    Task,
    ValidationTask,
    Worker,
    WorkerLostError,
)

MOST_RESTARTS_PER_TASK = 5


class WorkerError(RuntimeError):
    """Workers were lost repeatedly on the same task."""


class Pool:
    """Runs actors on workers; the result does not depend on the number of workers or where they run.

    Args:
        spec: Specification of the actors.
        workers: The workers; if there are none, this process does the work.
        notify: Called with one line when a worker was lost.
        new_workers: Called at every tick; returns workers that have joined.
    """

    def __init__(
        self,
        spec: ActorSpec,
        workers: Sequence[Worker],
        notify: Callable[[str], None] = lambda _: None,
        new_workers: Callable[[], Sequence[Worker]] = lambda: (),
    ) -> None:
        self.spec, self._notify, self._new_workers = spec, notify, new_workers
        self._here = LocalWorker(spec)
        self._workers = list(workers)
        self._asked: list[tuple[Worker, Task, list[int]]] = []  # the last: indices of actors

    def submit(self, requests: list[Request], weights: Weights, steps: int) -> None:
        """Request rollouts of `steps` decisions per car; returns at once if there are workers."""
        self._workers += self._new_workers()
        workers = self._workers or [self._here]
        self._asked = []
        for i, worker in enumerate(workers[: len(requests)]):
            share = requests[i :: len(workers)]
            task = RolloutTask(weights, share, steps)
            worker.ask(task)
            self._asked.append((worker, task, [r.actor for r in share]))

    def collect(self) -> list[Rollout]:
        """Wait for the requested rollouts, and return them in the order of the actors.

        Raises:
            DrivingError: If driving produced NaN or infinity.
            WorkerError: If workers were lost repeatedly.
        """
        by_actor: dict[int, Rollout] = {}
        for worker, task, actors in self._asked:
            by_actor |= zip(actors, self._answer(worker, task), strict=True)
        return [by_actor[actor] for actor in sorted(by_actor)]

    def validate(
        self,
        weights: Weights,
        tracks: list[int],
        on_progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> Drive:
        """Drive a whole greedy episode on every track; this process takes a share of the tracks, too.

        Args:
            weights: Weights of the network that drives.
            tracks: Reset seeds.
            on_progress: Called often with the number of episodes done in this process, and their total in it.

        Raises:
            DrivingError: If driving produced NaN or infinity.
            WorkerError: If workers were lost repeatedly.
        """
        busy = [self._here, *self._workers][: len(tracks)]
        tasks = [ValidationTask(weights, tracks[i :: len(busy)]) for i in range(len(busy))]
        for worker, task in reversed(list(zip(busy, tasks, strict=True))):
            worker.ask(task)
        own = len(tracks[:: len(busy)])
        self._here.rollout_worker.on_progress = lambda done: on_progress(done, own)
        drives = [self._answer(worker, task) for worker, task in zip(busy, tasks, strict=True)]
        episodes = {e.track: e for drive in drives for e in drive.episodes}
        return Drive([episodes[track] for track in tracks], drives[0].film)

    def _answer(self, worker: Worker, task: Task) -> Any:
        last = ""
        for _ in range(MOST_RESTARTS_PER_TASK):
            try:
                answer = worker.answer()
            except WorkerLostError as lost:
                last = f"; {lost}"
                worker = self._after_loss(worker, task, lost)
                continue
            if isinstance(answer, DrivingError):
                raise answer
            return answer
        raise WorkerError(f"a worker was lost {MOST_RESTARTS_PER_TASK} times on one task{last}")

    def _after_loss(self, worker: Worker, task: Task, lost: WorkerLostError) -> Worker:
        """Replace a lost worker; returns the worker that repeats the task."""
        try:
            worker.restart()
        except NoCapacityError:
            self._workers.remove(worker)
            self._here.ask(task)
            self._notify(
                f"{lost}, and there is no capacity for another: this process repeats its task"
            )
            return self._here
        self._notify(f"{lost}; another worker repeats its task")
        return worker

    def close(self) -> None:
        """End all workers; a second call changes nothing."""
        for worker in self._workers:
            worker.end()
        self._workers = []
