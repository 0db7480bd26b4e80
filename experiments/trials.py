"""The trials of a search, and the file trials.csv that records them."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.evaluation import bootstrap_interval
from system.csv_files import as_csv, read_csv
from system.files import write_whole

TRIALS = "trials.csv"
FIXED = ("trial", "state", "score", "low", "high", "scores", "steps", "reason")
RUNNING, COMPLETE, ENDED_EARLY, FAILED = "running", "complete", "ended early", "failed"
STATES = (COMPLETE, ENDED_EARLY, RUNNING, FAILED)


@dataclass
class Trial:
    """A trial and its results so far.

    Attributes:
        number: Number of the trial.
        values: Values of the settings that vary, by name.
        state: `running`, `complete`, `ended early` (it was in the worse half of its rung) or `failed`.
        steps: Scores by length (decisions of a run, or cases of a function).
        scores: The single scores that the last score is the mean of: one per seed, or one per case.
        reason: Why it failed; empty if it did not.
    """

    number: int
    values: dict[str, Any]
    state: str = RUNNING
    steps: dict[int, float] = field(default_factory=dict)
    scores: list[float] = field(default_factory=list)
    reason: str = ""

    @property
    def score(self) -> float:
        """The last score; minus infinity if there is none."""
        return next(reversed(self.steps.values()), -math.inf)

    def reach(self, length: int, scores: list[float]) -> None:
        """Record the scores at a length."""
        self.scores, self.steps[length] = scores, float(np.mean(scores))

    def fail(self, reason: str) -> None:
        """Record that the trial failed, and why."""
        self.state, self.reason = FAILED, reason


def best_first(trials: Sequence[Trial]) -> list[Trial]:
    """Sort trials: complete ones by score, then those that ended early, longest first, then the others."""
    return sorted(
        trials,
        key=lambda t: (STATES.index(t.state), -max(t.steps, default=0), -t.score, t.number),
    )


def write_trials(folder: Path, trials: Sequence[Trial], varied: Sequence[str]) -> None:
    """Write trials.csv, one row per trial, in the given order.

    Raises:
        OSError: If it cannot be written.
    """
    rows = []
    for t in trials:
        low, high = bootstrap_interval(t.scores) if len(t.scores) > 1 else (t.score, t.score)
        figures = [_figure(x) for x in (t.score, low, high)] if t.steps else ["", "", ""]
        steps = " ".join(f"{length}:{_figure(x)}" for length, x in t.steps.items())
        scores = " ".join(map(_figure, t.scores))
        values = [json.dumps(t.values[name]) for name in varied]
        rows.append([t.number, t.state, *figures, scores, steps, t.reason, *values])
    write_whole(folder / TRIALS, as_csv([*FIXED, *varied], rows))


def _figure(x: float) -> str:
    return f"{x:.3f}"


def read_trials(folder: Path, varied: Iterable[str]) -> list[Trial]:
    """Read trials.csv.

    Args:
        folder: Folder of the search.
        varied: Names of the settings that vary.

    Raises:
        ValueError: If the file is missing or not one that a sweep writes.
    """
    path = folder / TRIALS
    try:
        return [_trial(row, varied) for row in read_csv(path)]
    except OSError as e:
        raise ValueError(f"{path}: {e.strerror}") from None
    except (KeyError, ValueError, TypeError, AttributeError, csv.Error):
        raise ValueError(f"{path}: not a file that a sweep writes") from None


def _trial(row: dict[str, str], varied: Iterable[str]) -> Trial:
    if row["state"] not in STATES:
        raise ValueError(row["state"])
    steps = (step.split(":") for step in row["steps"].split())
    return Trial(
        number=int(row["trial"]),
        values={name: json.loads(row[name]) for name in varied},
        state=row["state"],
        steps={int(length): float(score) for length, score in steps},
        scores=[float(x) for x in row["scores"].split()],
        reason=row["reason"],
    )
