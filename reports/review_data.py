"""Reads the files of one run in any state; missing or damaged files are listed as problems and raise no errors."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from evaluation.evaluation import Summary, summarise
from evaluation.scores import read_episodes
from racing.episode import Episode
from reports.curves import read_columns, read_training, wall_minutes
from reports.events import read_scalars
from reports.run_list import read_status, state_of
from training.runs.names import RunError
from training.runs.run_folder import BEST, EPISODES, ORIGIN, TESTS, VALIDATIONS, RunFolder

T = TypeVar("T")
Columns = NDArray[np.float64]
VALIDATION_COLUMNS = ("decisions", "updates", "seconds", "mean", "std", "laps", "episodes")
REST = "filling the replay, validation, checkpoints"


@dataclass(frozen=True)
class Review:
    """The contents of a run's files.

    Attributes:
        run: Its folder.
        state: Its state, as in `runs.py list`.
        config: Its settings, by flat names.
        origin: Its origin.json; empty if it cannot be read.
        decisions: Number of decisions made; None if unknown.
        validation: VALIDATION_COLUMNS of every validation, float64 [n, 7]; None before the first.
        training: Decisions and mean score of the training episodes in every part of the run, float64 [m, 2].
        returns: Decisions, shaped return per decision, and epsilon of every training episode, float64 [k, 3]; in the
            same unit as the network's values.
        scalars: TensorBoard's curves by tag: decisions and values, float64 [n, 2] each.
        test: Episodes of the best weights on the test tracks; empty without a test.
        problems: One line for each missing or damaged file.
    """

    run: RunFolder
    state: str
    config: dict[str, Any]
    origin: dict[str, Any]
    decisions: int | None
    validation: Columns | None
    training: Columns | None
    returns: Columns | None
    scalars: dict[str, Columns]
    test: list[Episode]
    problems: list[str]

    @property
    def name(self) -> str:
        """Agent and name, such as DDQN/race."""
        return self.run.full_name

    @property
    def best(self) -> Columns | None:
        """Row of the best validation, float64 [7]; None before the first."""
        v = self.validation
        return None if v is None else v[v[:, 3].argmax()]

    @property
    def tested(self) -> Summary | None:
        """Statistics of the test; None without one."""
        return summarise(self.test) if self.test else None


def read_review(run: RunFolder) -> Review:
    """Read all files of a run.

    Raises:
        RunError: If its settings cannot be read; problems with other files are only listed.
    """
    config, status, problems = run.config(), read_status(run), list[str]()
    folder = run.path

    def attempt(what: str, read: Callable[[], T]) -> T | None:
        try:
            return read()
        except FileNotFoundError:
            problems.append(f"{what}: not there yet" if running else f"{what}: not there")
        except (OSError, ValueError, KeyError, TypeError, ZeroDivisionError) as e:
            problems.append(_in_words(what, e))
        return None

    state = state_of(run, status)
    running = state == "running"
    if not status:
        problems.append("status.json: missing or damaged")
    origin = attempt(ORIGIN, run.origin) or {}
    validation = attempt(
        VALIDATIONS, lambda: read_columns(folder / VALIDATIONS, *VALIDATION_COLUMNS)
    )
    last = status.get("decisions")
    if not isinstance(last, int):
        last = None if validation is None else int(validation[-1, 0])
    training = attempt(EPISODES, lambda: _training(folder / EPISODES, last))
    returns = None
    if training is not None:
        returns = attempt(EPISODES, lambda: _returns(folder / EPISODES, config["frame_skip"]))
    scalars = attempt("events.*", lambda: read_scalars(folder)) or {}
    if not scalars and not any(p.startswith("events") for p in problems):
        problems.append("events.*: no curves of TensorBoard")
    test = attempt(TESTS, lambda: read_episodes(folder / TESTS)) or []
    if test and (folder / BEST).is_file() and not run.is_finished():
        problems.append(f"{TESTS}: of other weights than {BEST}, the run went on since")
    return Review(
        run, state, config, origin, last, validation, training, returns, scalars, test, problems
    )


def _training(path: Path, decisions: int | None) -> Columns:
    end = decisions if decisions is not None else read_columns(path, "decisions")[-1, 0]
    until = np.array([[0.0, end, 0.0, 0.0]])
    return read_training(path, until, 0)[:, [1, 3]]


def _returns(path: Path, frame_skip: int) -> Columns:
    rows = read_columns(path, "decisions", "shaped_return", "frames", "epsilon")
    decisions = np.ceil(rows[:, 2] / frame_skip)
    return np.stack([rows[:, 0], rows[:, 1] / decisions, rows[:, 3]], axis=1)


def _in_words(what: str, error: Exception) -> str:
    text = error.strerror or str(error) if isinstance(error, OSError) else str(error)
    if isinstance(error, RunError | ValueError):
        _, found, rest = text.partition(f"{what}: ")
        text = rest if found else text
    return f"{what}: {text}"


def minutes(review: Review) -> dict[str, float]:
    """Return how many minutes of a run were spent on what, as far as its files show.

    The time of ticks is computed from their speed, up to the last validation. The rest of the clock at that validation
    went into filling the replay, validations and checkpoints. Beyond that, a run that was never resumed spent its time
    on loading and on the test.
    """
    if review.validation is None:
        return {}
    end, clock = review.validation[-1, 0], review.validation[-1, 2] / 60
    found = {"training and validation": clock}
    speed = review.scalars.get("speed/decisions_per_second")
    if speed is not None:
        before = np.concatenate(
            [speed[:1, 0] - np.diff(speed[:2, 0], prepend=0)[-1:], speed[:-1, 0]]
        )
        ticks = speed[:, 0] - before
        learning = float((ticks / speed[:, 1])[speed[:, 0] <= end].sum()) / 60
        if learning < clock:
            found = {"driving and learning": learning, REST: clock - learning}
    with contextlib.suppress(ValueError):
        whole = wall_minutes(review.origin)
        if np.isfinite(whole) and whole > clock:
            found["loading and the test drive"] = whole - clock
    return found
