"""Sends a run's curves to Weights & Biases or Trackio; docs/trackers.md says how to use it.

They must not slow down or stop training, so they run in a process of their own (`tracker_process.py`), which can be
killed. The curves are sent to it by a thread with a queue, which training never waits for.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from racing.episode import Episode
from system.processes import STOP_SIGNALS, blocked_signals, cause_of_death
from training.tracking.curves import episode_curves, tested_curves, validation_curves
from training.tracking.points import Points
from training.tracking.run_log import Progress, Sink
from training.tracking.tracker_process import FOLDER, Batch, serve

POINTS_PER_CHECKPOINT = 20  # per curve; each point is a mean
MOST_WAITING = 64  # batches; there is one per checkpoint
CLOSING_SECONDS = 10.0
QUIET_SECONDS = 2.0


class TrackerLog(Sink):
    """Sends a run's curves to a tracker; at every checkpoint, the points since the last one.

    A killed run is resumed from its last checkpoint, and nothing later was sent. So no point is sent twice, and the
    steps, which are decisions, only increase.

    Args:
        package: wandb, trackio, or another module with their `init`, `log`, `log_artifact`, `finish` and `Video`.
        folder: Folder of the run.
        config: The settings by name.
        notify: Called with one line about a problem, once for each kind of problem.
    """

    name = "tracker"

    def __init__(
        self, package: str, folder: Path, config: Mapping[str, Any], notify: Callable[[str], None]
    ) -> None:
        self._package, self._folder, self._config = package, folder, dict(config)
        self._notify, self._warned = notify, set[str]()
        self._points = Points(int(config["checkpoint_every"]) // POINTS_PER_CHECKPOINT)
        self._films: dict[int, NDArray[np.uint8]] = {}
        self._waiting: queue.Queue[Batch | None] = queue.Queue(MOST_WAITING)
        self._pipe: Connection | None = None
        self._ended = False

    def scalars(self, decisions: int, values: Mapping[str, float]) -> None:
        """Add the values to the mean."""
        self._points.add(decisions, values)

    def episode(
        self, decisions: int, episode: Episode, shaped_return: float, epsilon: float
    ) -> None:
        """Add the values to the mean."""
        self._points.add(decisions, episode_curves(episode, shaped_return, episode.laps))

    def validation(self, row: Mapping[str, Any], best_before: float) -> None:
        """Add a point."""
        self._points.put(row["decisions"], validation_curves(row, best_before))

    def film(self, decisions: int, name: str, images: NDArray[np.uint8]) -> None:
        """Add the film, to be sent with the point."""
        self._films[decisions] = images

    def test(self, decisions: int, episodes: Sequence[Episode]) -> None:
        """Add the last point."""
        self._points.put(decisions, tested_curves(episodes))

    def progress(self, progress: Progress) -> None:
        """Report problems of the tracker's process, if there are any."""
        self._hear()

    def checkpoint(self, decisions: int, seconds: float) -> None:
        """Send everything before the checkpoint; returns at once."""
        self._hand_on()

    def finished(self) -> None:
        """Send the remaining points, and the card of the weights."""
        self._points.close_span()
        self._hand_on(last=True)

    def _hand_on(self, last: bool = False) -> None:
        rows = self._points.take()
        films = {
            decisions: self._films.pop(decisions)
            for decisions, _ in rows
            if decisions in self._films
        }
        batch = Batch(rows, films, last)
        if self._pipe is None:
            self._start()
        try:
            if not self._ended:
                self._waiting.put_nowait(batch)
        except queue.Full:
            self._warn("is too slow: points are left out")

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        arguments = (theirs, self._package, self._folder.resolve(), self._config)
        self._process = context.Process(target=serve, args=arguments, daemon=True)
        with blocked_signals(*STOP_SIGNALS):  # the trainer handles them
            self._process.start()
        theirs.close()
        self._sender = threading.Thread(target=_send, args=(self._pipe, self._waiting), daemon=True)
        self._sender.start()

    def _hear(self) -> None:
        """Report problems of the process, or that it has ended."""
        if self._pipe is None or self._ended:
            return
        try:
            while self._pipe.poll():
                self._warn(str(self._pipe.recv()))
        except (EOFError, OSError):
            self._ended = True
            self._process.join(1.0)
            if not self._warned and self._process.exitcode:
                self._warn(f"has ended: {cause_of_death(self._process.exitcode)}")

    def _warn(self, trouble: str) -> None:
        if trouble not in self._warned:
            self._warned.add(trouble)
            self._notify(f"{self._package} {trouble}; training continues without it")

    def close(self) -> None:
        """Wait a few seconds for the process to end, then kill it."""
        if self._pipe is None or self._pipe.closed:
            return
        if self._waiting.full():
            with contextlib.suppress(queue.Empty):
                self._waiting.get_nowait()
        self._waiting.put(None)
        self._process.join(QUIET_SECONDS)
        if self._process.is_alive():
            self._notify(f"waiting for {self._package}, {CLOSING_SECONDS:.0f} seconds at most")
            self._process.join(CLOSING_SECONDS - QUIET_SECONDS)
        self._hear()
        if self._process.is_alive():
            self._ended = True
            self._warn(f"did not end; what it has is in {self._folder / FOLDER}")
            _kill(self._process.pid)
        self._process.join()
        self._sender.join()  # otherwise it could write to a descriptor that has been reused
        self._pipe.close()

    def get_state(self) -> dict[str, Any]:
        """Return the points that were not sent yet, without films."""
        return self._points.get_state()

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore what `get_state` returned."""
        self._points.set_state(state)


def tracker_of(
    config: Mapping[str, Any], folder: Path, notify: Callable[[str], None]
) -> tuple[TrackerLog, ...]:
    """Make the tracker that a run's settings name, if any."""
    package = str(config["track"])
    return (TrackerLog(package, folder, config, notify),) if package else ()


def _send(pipe: Connection, waiting: queue.Queue[Batch | None]) -> None:
    """Send batches, in a thread, which blocks while the process does not read."""
    with contextlib.suppress(OSError, ValueError):  # the process is gone, or the pipe is closed
        while True:
            batch = waiting.get()
            pipe.send(batch)
            if batch is None:
                return


def _kill(pid: int | None) -> None:
    """Kill the process group, with all that the process started; or the process alone, before it has a group."""
    assert pid is not None
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError):
            kill(pid, signal.SIGKILL)
