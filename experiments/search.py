"""A sweep at work: batches of trials, successive halving, and what is known of every trial."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from experiments.jobs import Done
from experiments.plan import Plan
from experiments.runs import Place, make, names, score
from experiments.study import Study, TrialResult
from system.exits import EXIT_BAD_INPUT, EXIT_FAILED
from training.settings import RunSettings, changed, check

RUNNING, COMPLETE, ENDED_EARLY, FAILED = "running", "complete", "ended early", "failed"


class UnfinishedError(Exception):
    """Runs that were killed, or a batch of which nothing came: the sweep cannot go on; why."""


@dataclass
class Trial:
    """What is known of a trial.

    Attributes:
        number: Of the trial.
        values: Of the settings that are varied.
        state: `running`, `complete`, `ended early` (the better half went on without it) or `failed`.
        steps: Scores on the way, by decisions.
        scores: Of its runs, seed by seed, at the last of them.
        reason: Why it failed.
    """

    number: int
    values: dict[str, Any]
    state: str = RUNNING
    steps: dict[int, float] = field(default_factory=dict)
    scores: list[float] = field(default_factory=list)
    reason: str = ""

    @property
    def score(self) -> float:
        """The last one; minus infinity if there is none."""
        return next(reversed(self.steps.values()), -math.inf)


class Search:
    """A sweep at work.

    Args:
        plan: What to do.
        place: Where the runs are made.
        study: Proposes trials, if they are not known from the start.
        note: Called with all trials whenever more is known.

    Attributes:
        trials: What is known.
    """

    def __init__(
        self,
        plan: Plan,
        place: Place,
        study: Study | None,
        note: Callable[[list[Trial]], None],
    ) -> None:
        self._plan, self._place, self._study, self._note = plan, place, study, note
        self.trials: list[Trial] = []

    def run(self) -> None:
        """Make what is not made yet.

        Raises:
            StoppedError: If a stop was asked for.
            UnfinishedError: If a run was killed, or all trials of a batch failed.
            ValueError: If the journal is another sweep's.
            OSError: If the disk does not take it.
        """
        for batch in self._batches():
            self.trials += batch
            self._note(self.trials)
            self._run_batch(batch)
            if self._study is not None:
                results = [TrialResult(t.values, t.steps, t.state == COMPLETE) for t in batch]
                self._study.tell(batch[0].number, results)
            if all(t.state == FAILED for t in batch):
                raise UnfinishedError(f"all trials failed; the last: {batch[-1].reason}")

    def _batches(self) -> Iterator[list[Trial]]:
        if self._study is None:
            yield [Trial(n, values) for n, values in enumerate(self._plan.values())]
            return
        for first in range(0, self._plan.trials, self._plan.batch):
            count = min(self._plan.batch, self._plan.trials - first)
            values = self._study.propose(first, count)
            yield [Trial(first + n, v) for n, v in enumerate(values)]

    def _run_batch(self, batch: list[Trial]) -> None:
        """Make the batch's runs; after every rung but the last the better half goes on."""
        alive = [t for t in batch if self._is_possible(t)]
        lengths = self._plan.lengths()
        for length in lengths:
            self._run_rung(alive, length)
            alive = [t for t in alive if t.state != FAILED]
            if length == lengths[-1]:
                for trial in alive:
                    trial.state = COMPLETE
            else:
                alive.sort(key=lambda t: (-t.score, t.number))
                for trial in alive[-(-len(alive) // 2) :]:
                    trial.state = ENDED_EARLY
                alive = sorted((t for t in alive if t.state == RUNNING), key=lambda t: t.number)
            self._note(self.trials)

    def _is_possible(self, trial: Trial) -> bool:
        """Whether values that were drawn go together; each may be in its range and the trial impossible."""
        try:
            check(self._plan.of(trial.values))
        except ValueError as e:
            trial.state, trial.reason = FAILED, str(e)
        return trial.state != FAILED

    def _run_rung(self, trials: list[Trial], length: int) -> None:
        runs = {t.number: self._runs(t, length) for t in trials}
        wanted = {name: settings for each in runs.values() for name, settings in each.items()}
        done = make(self._place, wanted, lambda one: self._told(one, wanted[one.job.name]))
        killed = []
        for trial in trials:
            ends = [done[name] for name in runs[trial.number] if name in done]
            bad = [d for d in ends if d.code]
            if not bad:
                self._score(trial, runs[trial.number], length)
            elif all(d.code in (EXIT_FAILED, EXIT_BAD_INPUT) for d in bad):
                trial.state, trial.reason = FAILED, bad[0].reason
            else:
                killed += [f"{d.job.name}: {d.reason}" for d in bad]
        if killed:
            raise UnfinishedError(f"{killed[0]}; the same command line goes on")

    def _runs(self, trial: Trial, length: int) -> dict[str, RunSettings]:
        settings = changed(self._plan.of(trial.values), decisions=length)
        return names(f"t{trial.number:03d}", settings, self._plan.seeds)

    def _score(self, trial: Trial, runs: dict[str, RunSettings], length: int) -> None:
        trial.scores = [
            score(self._place.folder(name), self._plan.metric, settings)
            for name, settings in runs.items()
        ]
        trial.steps[length] = float(np.mean(trial.scores))

    def _told(self, done: Done, settings: RunSettings) -> str:
        found = score(done.job.run, self._plan.metric, settings)
        return f"{self._plan.metric} {found:.1f} after {done.seconds:.0f} s"
