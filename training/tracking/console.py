"""Prints messages and a progress bar; in a log file, occasional lines instead of the bar."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars

from training.tracking.run_log import Progress, Sink

SECONDS_BETWEEN_LINES = 30.0  # of training, where the output is a file and not a screen
SECONDS_BETWEEN_SHORT_LINES = 5.0  # of validation and test


class ConsoleLog(Sink):
    """Prints messages and progress."""

    def __init__(self) -> None:
        self._console = Console()
        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:3.0f}%"),
            TimeElapsedColumn(),
            TextColumn("ETA"),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._on_screen,
        )
        self._task: TaskID | None = None
        self._phase, self._last_line = "", time.monotonic()
        self._began = (time.monotonic(), 0)  # of the phase: when, and with how much done

    @property
    def _on_screen(self) -> bool:
        # With FORCE_COLOR, rich treats any output as a terminal, but a bar does not belong in a file.
        return self._console.is_terminal and self._console.file.isatty()

    def notify(self, text: str) -> None:
        """Print one line, above the bar."""
        self._console.print(text, markup=False, emoji=False, highlight=False, soft_wrap=True)

    def worker_lost(self, text: str) -> None:
        """Print one line."""
        self.notify(text)

    def validation(self, row: Mapping[str, Any], best_before: float) -> None:
        """Print one line."""
        self.notify(
            f"{row['decisions']:>9,} decisions  {row['updates']:>6,} updates  {row['seconds'] / 60:5.1f} min"
            f"  validation {row['mean']:6.1f} ± {row['std']:5.1f}  laps {row['laps']}/{row['episodes']}"
            + ("  best so far" if row["mean"] > best_before else "")
        )

    def progress(self, progress: Progress) -> None:
        """Move the bar; in a log file, print an occasional line."""
        p, now = progress, time.monotonic()
        if p.phase != self._phase:
            self._phase, self._last_line, self._began = p.phase, now, (now, p.done)
            self._new_bar(p)
        if self._task is not None:
            self._bars.update(self._task, completed=p.done, description=_text(p))
        pause = SECONDS_BETWEEN_LINES if p.phase == "training" else SECONDS_BETWEEN_SHORT_LINES
        if not self._on_screen and now - self._last_line >= pause:
            self._last_line = now
            self.notify(f"{p.done:>9,} of {p.total:,} {_unit(p)}  {_text(p)}  {self._left(p, now)}")

    def _left(self, p: Progress, now: float) -> str:
        if p.phase == "validating":  # its cars drive in lockstep, and end at about the same time
            return f"{now - self._began[0]:.0f} s"
        each = (now - self._began[0]) / max(p.done - self._began[1], 1)
        return f"{max(p.total - p.done, 0) * each / 60:.1f} min left"

    def _new_bar(self, p: Progress) -> None:
        if self._task is not None:
            self._bars.remove_task(self._task)
        self._bars.start()
        self._task = self._bars.add_task(p.phase, total=p.total, completed=p.done)

    def close(self) -> None:
        """Remove the bar."""
        self._bars.stop()
        self._task, self._phase = None, ""


def _unit(p: Progress) -> str:
    return "decisions" if p.phase == "training" else "episodes"


def _text(p: Progress) -> str:
    if p.phase != "training":
        return p.phase
    return (
        f"score {p.score:6.1f}  {p.decisions_per_second:5.0f} decisions/s"
        f"  {p.updates_per_second:4.0f} updates/s"
    )
