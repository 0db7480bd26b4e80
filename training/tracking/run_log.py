"""The log of a run: hands what happens on to sinks (files, TensorBoard, the screen), which take what they want."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from racing.episode import Episode

RECENT_EPISODES = 30  # of which the training score is the mean


@dataclass(frozen=True)
class Progress:
    """Where a run is.

    Attributes:
        phase: `training`, `validating` or `testing`.
        done: Decisions made so far in training; episodes in the other phases.
        total: Of these.
        score: Mean score of the last training episodes, exploration included; NaN before the first.
        decisions_per_second: Over the last tick.
        updates_per_second: Over the last tick.
    """

    phase: str
    done: int
    total: int
    score: float
    decisions_per_second: float = 0.0
    updates_per_second: float = 0.0


class Sink:
    """Somebody who is told what a run does. Subclasses override what they want to know.

    Attributes:
        name: In the state that a checkpoint keeps.
    """

    name = ""

    def begin(self, run: Path, workers: int) -> None:
        """The folder of a new run, or of one that goes on, and the number of processes that drive."""

    def describe(self, settings: Mapping[str, Any], network: Any) -> None:
        """The run begins: its settings by name, and the network that learns."""

    def scalars(self, decisions: int, values: Mapping[str, float]) -> None:
        """One point of each curve."""

    def episode(
        self, decisions: int, episode: Episode, shaped_return: float, epsilon: float
    ) -> None:
        """A training episode ended."""

    def validation(self, row: Mapping[str, Any], best_before: float) -> None:
        """Greedy drives on validation tracks: a row of validation.csv, and the best mean before."""

    def film(self, decisions: int, name: str, images: NDArray[np.uint8]) -> None:
        """Images of a greedy drive, uint8 [n, H, W]."""

    def test(self, decisions: int, episodes: Sequence[Episode]) -> None:
        """The best weights drove the test tracks."""

    def checkpoint(self, decisions: int, seconds: float) -> None:
        """A checkpoint was saved, which took so many seconds."""

    def mirrored(self, whole: bool) -> None:
        """An upload to the run's mirror ended: whether all that was to go is there."""

    def progress(self, progress: Progress) -> None:
        """Called after every tick, and in longer phases after every episode."""

    def worker_lost(self, text: str) -> None:
        """A worker died or hung and was replaced; a line that says which."""

    def say(self, text: str) -> None:
        """One line for people."""

    def finished(self) -> None:
        """All is done: nothing is left for who resumes."""

    def close(self) -> None:
        """Nothing comes any more, or not for now."""

    def get_state(self) -> Any:
        """How far it has got, as JSON; None if it keeps nothing."""
        return None

    def set_state(self, state: Any) -> None:
        """Go back to where `get_state` was called: what was written since will be written again."""


class RunLog(Sink):
    """Hands everything on, and keeps the training score.

    Args:
        sinks: Take it down, in this order.
    """

    def __init__(self, sinks: Sequence[Sink]) -> None:
        self._sinks = tuple(sinks)
        self._recent: deque[float] = deque(maxlen=RECENT_EPISODES)

    def __enter__(self) -> RunLog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def training_score(self) -> float:
        """Mean score of the last training episodes, exploration included; NaN before the first."""
        return float(np.mean(self._recent)) if self._recent else float("nan")

    def begin(self, run: Path, workers: int) -> None:
        """Hand on."""
        for sink in self._sinks:
            sink.begin(run, workers)

    def describe(self, settings: Mapping[str, Any], network: Any) -> None:
        """Hand on."""
        for sink in self._sinks:
            sink.describe(settings, network)

    def scalars(self, decisions: int, values: Mapping[str, float]) -> None:
        """Hand on."""
        for sink in self._sinks:
            sink.scalars(decisions, values)

    def episode(
        self, decisions: int, episode: Episode, shaped_return: float, epsilon: float
    ) -> None:
        """Hand on."""
        self._recent.append(episode.score)
        for sink in self._sinks:
            sink.episode(decisions, episode, shaped_return, epsilon)

    def validation(self, row: Mapping[str, Any], best_before: float) -> None:
        """Hand on."""
        for sink in self._sinks:
            sink.validation(row, best_before)

    def film(self, decisions: int, name: str, images: NDArray[np.uint8]) -> None:
        """Hand on."""
        for sink in self._sinks:
            sink.film(decisions, name, images)

    def test(self, decisions: int, episodes: Sequence[Episode]) -> None:
        """Hand on."""
        for sink in self._sinks:
            sink.test(decisions, episodes)

    def checkpoint(self, decisions: int, seconds: float) -> None:
        """Hand on."""
        for sink in self._sinks:
            sink.checkpoint(decisions, seconds)

    def mirrored(self, whole: bool) -> None:
        """Hand on."""
        for sink in self._sinks:
            sink.mirrored(whole)

    def progress(self, progress: Progress) -> None:
        """Hand on."""
        for sink in self._sinks:
            sink.progress(progress)

    def worker_lost(self, text: str) -> None:
        """Hand on."""
        for sink in self._sinks:
            sink.worker_lost(text)

    def say(self, text: str) -> None:
        """Hand on."""
        for sink in self._sinks:
            sink.say(text)

    def finished(self) -> None:
        """Hand on."""
        for sink in self._sinks:
            sink.finished()

    def close(self) -> None:
        """Hand on."""
        for sink in self._sinks:
            sink.close()

    def get_state(self) -> dict[str, Any]:
        """The recent scores, and every sink's state by its name."""
        states = {sink.name: sink.get_state() for sink in self._sinks}
        return {"recent": list(self._recent)} | {k: v for k, v in states.items() if v is not None}

    def set_state(self, state: dict[str, Any]) -> None:
        """Put back what `get_state` gave; a sink that was not there then starts empty."""
        self._recent.extend(state["recent"])
        for sink in self._sinks:
            if sink.name in state:
                sink.set_state(state[sink.name])
