"""Runs a search: batches of trials and successive halving, for any objective."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from experiments.jobs import UnfinishedError
from experiments.plan import JOURNAL, Plan, check_plan, write_plan
from experiments.study import Study
from experiments.trials import COMPLETE, ENDED_EARLY, FAILED, RUNNING, Trial, write_trials
from training.runs.run_folder import RunFolder


class Objective(Protocol):
    """The objective of a search, which scores trials and keeps the results: training runs, or a function."""

    def measure(self, trials: Sequence[Trial], length: int) -> None:
        """Score trials at a length and call `reach` or `fail` on each; known results are not measured again.

        Raises:
            StoppedError: If a stop was requested.
            UnfinishedError: If a run or process was killed.
            OSError: If a file cannot be written.
        """


class Search:
    """A search, with its own folder.

    Args:
        folder: Folder of its options, its trials and its journal.
        plan: The plan.
        objective: The objective to maximise.

    Attributes:
        trials: The trials so far.

    Raises:
        ValueError: If the folder belongs to another search, or its journal is damaged; nothing has been written then.
    """

    def __init__(self, folder: Path, plan: Plan, objective: Objective) -> None:
        check_plan(folder, plan.description)
        self._folder, self._plan, self._objective = folder, plan, objective
        journal = folder / JOURNAL
        is_tpe = plan.method == "tpe"
        self._study = Study(journal, plan.space, plan.seed, plan.start) if is_tpe else None
        self.trials: list[Trial] = []

    def run(self) -> None:
        """Start the search or continue it where it was stopped.

        Raises:
            StoppedError: If a stop was requested.
            UnfinishedError: If a run or process was killed, or all trials of a batch failed.
            ValueError: If the journal belongs to another search, or another process uses the folder.
            OSError: If a file cannot be written.
        """
        write_plan(self._folder, self._plan.description)
        lock = RunFolder(self._folder)
        lock.lock()
        try:
            for batch in self._batches():
                self.trials += batch
                self._run_batch(batch)
        finally:
            lock.unlock()

    def _batches(self) -> Iterator[list[Trial]]:
        if self._study is None:
            yield [Trial(n, values) for n, values in enumerate(self._plan.values())]
            return
        for first in range(0, self._plan.trials, self._plan.batch):
            count = min(self._plan.batch, self._plan.trials - first)
            values = self._study.propose(first, count)
            yield [Trial(first + n, v) for n, v in enumerate(values)]

    def _run_batch(self, batch: list[Trial]) -> None:
        """Measure a batch; after every rung except the last, only the better half of the trials continues."""
        self._note()
        alive, lengths = batch, self._plan.lengths
        for length in lengths:
            self._objective.measure(alive, length)
            alive = [t for t in alive if t.state != FAILED]
            if length == lengths[-1]:
                for trial in alive:
                    trial.state = COMPLETE
            else:
                alive.sort(key=lambda t: (-t.score, t.number))
                for trial in alive[-(-len(alive) // 2) :]:
                    trial.state = ENDED_EARLY
                alive = sorted((t for t in alive if t.state == RUNNING), key=lambda t: t.number)
            self._note()
        if self._study is not None:
            self._study.tell(batch[0].number, batch)
        if all(t.state == FAILED for t in batch):
            raise UnfinishedError(f"all trials failed; the last: {batch[-1].reason}")

    def _note(self) -> None:
        write_trials(self._folder, self.trials, list(self._plan.space))
