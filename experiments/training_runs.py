"""The objective of `sweep.py`: a trial consists of one training run per seed."""

from __future__ import annotations

import fnmatch
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from experiments.jobs import Done, unfinished
from experiments.runs import Metric, Place, make, names, score
from experiments.space import Choice, Dimension, parse_space
from experiments.trials import Trial
from system.exits import EXIT_BAD_INPUT, EXIT_FAILED
from training.settings import RunSettings, changed, check, from_json


@dataclass(frozen=True)
class TrialSettings:
    """The settings of the trials of a sweep.

    Attributes:
        bases: The common settings of the trials, by preset.
        space: The settings that vary, including `preset` if there are several.
    """

    bases: dict[str, RunSettings]
    space: dict[str, Dimension]

    @classmethod
    def parse(
        cls,
        presets: dict[str, RunSettings],
        chosen: str,
        sets: Sequence[str],
        spaces: Sequence[str],
    ) -> TrialSettings:
        """Parse `--preset`, `--set` and `--space`.

        Args:
            presets: The presets of the script, by name.
            chosen: Names or globs of presets, separated by commas.
            sets: As in `parse_space`.
            spaces: As in `parse_space`.

        Raises:
            ValueError: If an option is invalid; the message names the option, the setting, and the allowed values.
        """
        found = [fnmatch.filter(presets, glob) for glob in chosen.split(",")]
        if not all(found):
            raise ValueError(f"preset must be one of {', '.join(presets)}, got {chosen!r}")
        names = list(dict.fromkeys(itertools.chain(*found)))
        parsed = {name: parse_space(sets, spaces, presets[name]) for name in names}
        bases, space = {n: base for n, (base, _) in parsed.items()}, parsed[names[0]][1]
        if len(names) > 1:
            space = {"preset": Choice(tuple(names)), **space}
        if len({base.decisions for base in bases.values()}) > 1:
            raise ValueError("presets of different lengths: give --set decisions=N")
        for base in bases.values():
            check(base)
        return cls(bases, space)

    @property
    def first(self) -> RunSettings:
        """The common settings of the first preset's trials."""
        return next(iter(self.bases.values()))

    def of(self, values: dict[str, Any]) -> RunSettings:
        """Return the settings of a trial with these values.

        Raises:
            ValueError: If the values cannot be combined.
        """
        settings = from_json(self.bases[values.get("preset", self.first.preset)], values)
        check(settings)
        return settings


class TrainingRuns:
    """Scores trials by training a run with every seed.

    Args:
        place: How and where runs are trained.
        settings: Settings of the trials.
        seeds: Seeds of each trial's runs.
        metric: Which score of a run counts.
    """

    def __init__(
        self, place: Place, settings: TrialSettings, seeds: Sequence[int], metric: Metric
    ) -> None:
        self._place, self._settings, self._seeds, self._metric = place, settings, seeds, metric

    def measure(self, trials: Sequence[Trial], length: int) -> None:
        """Train the runs of trials up to `length` decisions.

        A trial fails if its settings cannot be combined, or if a run ends with an error.

        Raises:
            StoppedError: If a stop was requested.
            UnfinishedError: If a run was killed, so that its score is unknown.
            OSError: If a file cannot be written.
        """
        runs = {t.number: self._runs(t, length) for t in trials if self._is_possible(t)}
        wanted = {name: settings for each in runs.values() for name, settings in each.items()}
        done = make(self._place, wanted, lambda one: self._told(one, wanted[one.job.name]))
        killed = []
        for trial in (t for t in trials if t.number in runs):
            bad = [done[name] for name in runs[trial.number] if name in done and done[name].code]
            if not bad:
                folders = {self._place.folder(n): s for n, s in runs[trial.number].items()}
                trial.reach(length, [score(f, self._metric, s) for f, s in folders.items()])
            elif all(d.code in (EXIT_FAILED, EXIT_BAD_INPUT) for d in bad):
                trial.fail(bad[0].reason)
            else:
                killed += bad
        if killed:
            raise unfinished(killed)

    def _is_possible(self, trial: Trial) -> bool:
        """Return whether a trial's values can be combined, even if each is in its range; if not, the trial fails."""
        try:
            self._settings.of(trial.values)
        except ValueError as e:
            trial.fail(str(e))
            return False
        return True

    def _runs(self, trial: Trial, length: int) -> dict[str, RunSettings]:
        settings = changed(self._settings.of(trial.values), decisions=length)
        return names(f"t{trial.number:03d}", settings, self._seeds)

    def _told(self, done: Done, settings: RunSettings) -> str:
        found = score(done.job.run, self._metric, settings)
        return f"{self._metric} {found:.1f} after {done.seconds:.0f} s"
