"""A search at work: batches of trials and successive halving, whatever it is that gives a trial its score."""

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
    """What gives trials their scores: training runs, or a function. It keeps what it has found out."""

    def measure(self, trials: Sequence[Trial], length: int) -> None:
        """Let trials reach a length, or fail; what was measured before is not measured again.

        Raises:
            StoppedError: If a stop was asked for.
            UnfinishedError: If something was killed.
            OSError: If the disk does not take it.
        """


class Search:
    """A search in a folder of its own.

    Args:
        folder: Where its command line, its trials and its journal are.
        plan: What to do.
        objective: What to maximise.

    Attributes:
        trials: What is known.

    Raises:
        ValueError: If the folder is another search's, or its journal is damaged; nothing was written then.
    """

    def __init__(self, folder: Path, plan: Plan, objective: Objective) -> None:
        check_plan(folder, plan.description)
        self._folder, self._plan, self._objective = folder, plan, objective
        journal = folder / JOURNAL
        is_tpe = plan.method == "tpe"
        self._study = Study(journal, plan.space, plan.seed, plan.start) if is_tpe else None
        self.trials: list[Trial] = []

    def run(self) -> None:
        """Do what is not done yet.

        Raises:
            StoppedError: If a stop was asked for.
            UnfinishedError: If something was killed, or all trials of a batch failed.
            ValueError: If the journal is another search's, or another process is at work in the folder.
            OSError: If the disk does not take it.
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
        """Measure a batch; after every rung but the last the better half goes on."""
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
