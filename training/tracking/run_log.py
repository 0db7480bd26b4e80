"""The log of a run: passes every event on to sinks (files, TensorBoard, the screen), which handle those they need."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from racing.episode import Episode

RECENT_EPISODES = 30  # that the training score is averaged over


@dataclass(frozen=True)
class Progress:
    """How far a run has got.

    Attributes:
        phase: `training`, `validating` or `testing`.
        done: Decisions so far in training; episodes in the other phases.
        total: The total of these.
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
    """Receives the events of a run. Subclasses override the methods of the events that they need.

    Attributes:
        name: Name of its state in checkpoints.
    """

    name = ""

    def begin(self, run: Path, workers: int) -> None:
        """Called first, with the folder of the new or resumed run and the number of processes that drive."""

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
        """A checkpoint was saved; it took `seconds`."""

    def mirrored(self, whole: bool) -> None:
        """An upload to the run's mirror ended; `whole` is whether everything has arrived."""

    def progress(self, progress: Progress) -> None:
        """Called after every tick, and in longer phases after every episode."""

    def worker_lost(self, text: str) -> None:
        """A worker died or hung and was replaced; `text` is a line that names it."""

    def notify(self, text: str) -> None:
        """A message of one line for the user."""

    def finished(self) -> None:
        """The run is done: a resume would find nothing to do."""

    def close(self) -> None:
        """No more events will come, unless the run is resumed."""

    def get_state(self) -> Any:
        """Return the state for a checkpoint, as JSON data; None if there is none."""
        return None

    def set_state(self, state: Any) -> None:
        """Restore the state of an earlier `get_state`: everything written since will be written again."""


class RunLog(Sink):
    """Passes every event on to all sinks, and keeps the training score.

    Args:
        sinks: Receive the events, in this order.
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
        """Pass the event on."""
        for sink in self._sinks:
            sink.begin(run, workers)

    def describe(self, settings: Mapping[str, Any], network: Any) -> None:
        """Pass the event on."""
        for sink in self._sinks:
            sink.describe(settings, network)

    def scalars(self, decisions: int, values: Mapping[str, float]) -> None:
        """Pass the event on."""
        for sink in self._sinks:
            sink.scalars(decisions, values)

    def episode(
        self, decisions: int, episode: Episode, shaped_return: float, epsilon: float
    ) -> None:
        """Pass the event on."""
        self._recent.append(episode.score)
        for sink in self._sinks:
            sink.episode(decisions, episode, shaped_return, epsilon)

    def validation(self, row: Mapping[str, Any], best_before: float) -> None:
        """Pass the event on."""
        for sink in self._sinks:
            sink.validation(row, best_before)

    def film(self, decisions: int, name: str, images: NDArray[np.uint8]) -> None:
        """Pass the event on."""
        for sink in self._sinks:
            sink.film(decisions, name, images)

    def test(self, decisions: int, episodes: Sequence[Episode]) -> None:
        """Pass the event on."""
        for sink in self._sinks:
            sink.test(decisions, episodes)

    def checkpoint(self, decisions: int, seconds: float) -> None:
        """Pass the event on."""
        for sink in self._sinks:
            sink.checkpoint(decisions, seconds)

    def mirrored(self, whole: bool) -> None:
        """Pass the event on."""
        for sink in self._sinks:
            sink.mirrored(whole)

    def progress(self, progress: Progress) -> None:
        """Pass the event on."""
        for sink in self._sinks:
            sink.progress(progress)

    def worker_lost(self, text: str) -> None:
        """Pass the event on."""
        for sink in self._sinks:
            sink.worker_lost(text)

    def notify(self, text: str) -> None:
        """Pass the event on."""
        for sink in self._sinks:
            sink.notify(text)

    def finished(self) -> None:
        """Pass the event on."""
        for sink in self._sinks:
            sink.finished()

    def close(self) -> None:
        """Pass the event on."""
        for sink in self._sinks:
            sink.close()

    def get_state(self) -> dict[str, Any]:
        """Return the recent scores, and every sink's state by its name."""
        states = {sink.name: sink.get_state() for sink in self._sinks}
        return {"recent": list(self._recent)} | {k: v for k, v in states.items() if v is not None}

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore what `get_state` returned; a sink without a state starts empty."""
        self._recent.extend(state["recent"])
        for sink in self._sinks:
            if sink.name in state:
                sink.set_state(state[sink.name])
