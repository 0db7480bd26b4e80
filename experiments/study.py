"""Optuna's tree-structured Parzen estimator (Bergstra et al. 2011), with proposals that do not depend on timing.

Trials are proposed in batches, each based only on the trials of earlier batches. The journal holds finished trials in
order. When a killed sweep is continued, the same batch is proposed again from the same trials.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.space import Choice, Dimension
from experiments.trials import COMPLETE, Trial
from system.extras import require

if TYPE_CHECKING:
    import optuna

NAME = "sweep"


def load_optuna() -> Any:
    """Import Optuna and silence its log.

    Raises:
        ValueError: If it is not installed.
    """
    require("sweep", "optuna")
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


class Study:
    """The trials of a sweep in Optuna's journal.

    Args:
        journal: File of the journal; need not exist.
        space: The settings that vary.
        seed: Seed of the sampler.
        start: Values of the first trials; later ones are proposed.

    Raises:
        ValueError: If Optuna is not installed, or the journal is damaged.
    """

    def __init__(
        self,
        journal: Path,
        space: dict[str, Dimension],
        seed: int,
        start: Sequence[dict[str, Any]] = (),
    ) -> None:
        self._optuna, self._journal, self._space, self._seed = load_optuna(), journal, space, seed
        self._start = start
        self._distributions = {n: _distribution(self._optuna, d) for n, d in space.items()}
        self.trials = self._open().get_trials() if journal.exists() else []

    def _open(self) -> optuna.Study:
        o = self._optuna
        try:
            data = self._journal.read_bytes() if self._journal.exists() else b""
            whole = data[: data.rfind(b"\n") + 1]
            if whole != data:  # the last line was partly written when the sweep was killed
                self._journal.write_bytes(whole)
            backend = o.storages.journal.JournalFileBackend(str(self._journal))
            storage = o.storages.JournalStorage(backend)
            study: optuna.Study = (
                o.load_study(storage=storage, study_name=NAME)
                if whole
                else o.create_study(storage=storage, study_name=NAME, direction="maximize")
            )
        except (ValueError, LookupError, TypeError, AssertionError) as e:
            raise ValueError(
                f"{self._journal}: a damaged journal ({type(e).__name__}: {e})"
            ) from None
        return study

    def propose(self, first: int, count: int) -> list[dict[str, Any]]:
        """Propose values for the trials `first` to `first + count - 1`, based on the trials before them.

        Raises:
            ValueError: If the journal has other values for these trials.
        """
        known = self.trials[first : first + count]
        known_values = [self._values(trial) for trial in known]
        if len(known) == count:
            return known_values
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", self._optuna.exceptions.ExperimentalWarning)
            seed = np.random.SeedSequence([self._seed, first]).generate_state(1)[0]
            # Trials without a score count as bad ones, so that the trials of a batch differ.
            sampler = self._optuna.samplers.TPESampler(seed=int(seed), constant_liar=True)
            study = self._optuna.create_study(sampler=sampler, direction="maximize")
        study.add_trials(self.trials[:first])
        for values in self._start[first:]:
            study.enqueue_trial(as_params(values, self._space))
        asked = [study.ask(fixed_distributions=self._distributions) for _ in range(count)]
        proposed = [self._rounded(self._values(trial)) for trial in asked]
        if proposed[: len(known)] != known_values:
            raise ValueError(
                f"{self._journal}: another version of Optuna began this batch of trials"
                " and must also finish it"
            )
        return proposed

    def _values(self, trial: Any) -> dict[str, Any]:
        """Convert the parameters of an Optuna trial to values of settings."""
        try:
            return {
                name: _tuples(json.loads(trial.params[name]))
                if isinstance(dimension, Choice)
                else trial.params[name]
                for name, dimension in self._space.items()
            }
        except (KeyError, TypeError, ValueError):
            raise ValueError(f"{self._journal}: not the journal of this sweep") from None

    def _rounded(self, values: dict[str, Any]) -> dict[str, Any]:
        return {
            name: value if isinstance(d := self._space[name], Choice) else d.rounded(value)
            for name, value in values.items()
        }

    def tell(self, first: int, trials: list[Trial]) -> None:
        """Append finished trials to the journal, except those that it already has.

        Raises:
            OSError: If the journal cannot be written.
        """
        study = self._open()
        for trial in trials[len(self.trials) - first :]:
            study.add_trial(frozen(self._optuna, trial, self._space))
        self.trials = study.get_trials()


def frozen(o: Any, trial: Trial, space: dict[str, Dimension]) -> Any:
    """Convert a finished trial to one of Optuna's."""
    states = o.trial.TrialState
    ended = states.COMPLETE if trial.state == COMPLETE else states.PRUNED
    return o.trial.create_trial(
        params=as_params(trial.values, space),
        distributions={name: _distribution(o, d) for name, d in space.items()},
        value=trial.score if trial.steps else None,
        intermediate_values=trial.steps,
        state=ended if trial.steps else states.FAIL,
    )


def as_params(values: dict[str, Any], space: dict[str, Dimension]) -> dict[str, Any]:
    """Convert values of settings to parameters of Optuna, which represents choices as text."""
    return {n: json.dumps(v) if isinstance(space[n], Choice) else v for n, v in values.items()}


def _distribution(o: Any, dimension: Dimension) -> Any:
    if isinstance(dimension, Choice):
        return o.distributions.CategoricalDistribution(list(map(json.dumps, dimension.options)))
    kind = o.distributions.IntDistribution if dimension.whole else o.distributions.FloatDistribution
    return kind(dimension.low, dimension.high, log=dimension.log)


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def importances(trials: Sequence[Trial], space: dict[str, Dimension]) -> dict[str, float]:
    """Compute how important each setting is for being among the best trials; the importances add up to 1.

    The method is PED-ANOVA (Watanabe et al. 2023), applied to the complete trials.

    Raises:
        ValueError: If Optuna is not installed.
    """
    o = load_optuna()
    study = o.create_study(direction="maximize")
    study.add_trials([frozen(o, trial, space) for trial in trials if trial.state == COMPLETE])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        evaluator = o.importance.PedAnovaImportanceEvaluator()
        found: dict[str, float] = o.importance.get_param_importances(study, evaluator=evaluator)
    return found
