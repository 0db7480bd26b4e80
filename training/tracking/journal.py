"""What a run tells: TensorBoard, an episode log, and one line of progress."""

from __future__ import annotations

import contextlib
import csv
import errno
import io
import os
import time
from collections import deque
from dataclasses import astuple, fields
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from evaluation.evaluation import summarise
from racing.episode import END_REASONS, Episode
from system.files import write_whole
from training.tracking.events import EventLog

BEST = "best.safetensors"
RECENT_EPISODES = 30  # of which the training score is the mean
SECONDS_BETWEEN_LINES = 30.0  # where the output is a file and not a screen


class Table:
    """A CSV that grows, and that can be put back to where a checkpoint saw it."""

    def __init__(self, path: Path, columns: tuple[str, ...]) -> None:
        self.path = path
        if not path.exists() or not path.stat().st_size:
            self.add(*columns)

    def add(self, *row: Any) -> None:
        """Append a row.

        Raises:
            OSError: If the disk does not take it; then nothing of it is there.
        """
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerow(row)
        with self.path.open("ab", buffering=0) as file:
            size = file.tell()
            try:
                taken = file.write(text.getvalue().encode())
                if taken < len(text.getvalue()):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            except OSError as e:
                file.truncate(size)
                raise OSError(e.errno, e.strerror, str(self.path)) from None

    def get_state(self) -> str:
        """All of it."""
        return self.path.read_bytes().decode("latin-1")  # any byte comes back

    def set_state(self, text: str) -> None:
        """Put back what `get_state` gave, whatever became of the file."""
        write_whole(self.path, text.encode("latin-1"))


class Journal:
    """Writes a run's story into its folder, and to the screen.

    Args:
        folder: Of the run.
        total: Decisions that the run will make.

    Attributes:
        events: What TensorBoard shows.
    """

    def __init__(self, folder: Path, total: int) -> None:
        self._folder = folder
        self.events = EventLog(folder)
        self.episodes = Table(
            folder / "episodes.csv",
            ("decisions", *(f.name for f in fields(Episode)), "shaped_return", "epsilon"),
        )
        self.validations = Table(
            folder / "validation.csv",
            ("decisions", "updates", "seconds", "mean", "std", "min", "max", "laps", "episodes"),
        )
        self._recent: deque[float] = deque(maxlen=RECENT_EPISODES)
        self._console = Console()
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:3.0f}%"),
            TimeElapsedColumn(),
            TextColumn("ETA"),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._progress.add_task("training", total=total)
        self._total, self._last_line = total, time.monotonic()
        self._began: tuple[float, int] | None = (
            None  # when this process began, and with how many decisions
        )

    def __enter__(self) -> Journal:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._progress.stop()
        self.events.close()

    def say(self, text: str) -> None:
        """One line, above the progress bar; without a terminal (it may be gone) there is nobody to tell."""
        with contextlib.suppress(OSError):
            self._console.print(text, markup=False, emoji=False, highlight=False, soft_wrap=True)

    def episode(
        self, decisions: int, episode: Episode, shaped_return: float, epsilon: float
    ) -> None:
        """An episode of training ended."""
        e = episode
        self.episodes.add(decisions, *astuple(e), round(shaped_return, 4), round(epsilon, 6))
        self._recent.append(e.score)
        scalars = {
            "training/score": e.score,
            "training/shaped_return": shaped_return,
            "training/frames": e.frames,
            "training/laps": e.laps,
            "training/tiles_missing": e.track_tiles - e.tiles,
        }
        scalars |= {f"training/end_{r}": float(e.end_reason == r) for r in END_REASONS}
        self.events.scalars(decisions, scalars)

    @property
    def training_score(self) -> float:
        """Mean score of the last episodes, exploration included."""
        return float(np.mean(self._recent)) if self._recent else float("nan")

    def test(self, decisions: int, episodes: list[Episode]) -> None:
        """The best weights drove on the test tracks, after the last checkpoint: a resumed run forgets it."""
        laps = sum(e.laps for e in episodes) / len(episodes)
        scores = {"driving/test_score": summarise(episodes).mean, "driving/test_laps": laps}
        self.events.scalars(decisions, scores)
        self.events.close()

    def keep_best(self, weights: bytes) -> None:
        """Put the best weights so far into a file."""
        write_whole(self._folder / BEST, weights)

    def progress(self, decisions: int, speed: float, updates_per_second: float) -> None:
        """Move the bar; in a log file, say a line now and then."""
        text = (
            f"score {self.training_score:6.1f}  {speed:5.0f} decisions/s"
            f"  {updates_per_second:4.0f} updates/s"
        )
        with contextlib.suppress(OSError):
            self._progress.update(self._task, completed=decisions, description=text)
        now = time.monotonic()
        if self._began is None:
            self._began, self._last_line = (now, decisions), now
        if not self._console.is_terminal and now - self._last_line >= SECONDS_BETWEEN_LINES:
            self._last_line = now
            per_decision = (now - self._began[0]) / max(decisions - self._began[1], 1)
            left = max(self._total - decisions, 0) * per_decision
            self.say(
                f"{decisions:>9,} of {self._total:,} decisions  {text}  {left / 60:.1f} min left"
            )

    def get_state(self) -> dict[str, Any]:
        """How far the story goes. What is written after this goes into a file of its own."""
        return {
            "events": self.events.get_state(),
            "episodes": self.episodes.get_state(),
            "validations": self.validations.get_state(),
            "recent": list(self._recent),
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to where `get_state` was called: what was written since will be written again."""
        self.events.set_state(state["events"])
        self._recent.extend(state["recent"])
        self.episodes.set_state(state["episodes"])
        self.validations.set_state(state["validations"])
