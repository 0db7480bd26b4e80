"""CSV files of all training episodes and validations: the records that other views are made from."""

from __future__ import annotations

import csv
import errno
import io
import os
from collections.abc import Mapping
from dataclasses import astuple, fields
from pathlib import Path
from typing import Any

from racing.episode import Episode
from system.files import write_whole
from training.runs.run_folder import EPISODES, VALIDATIONS
from training.tracking.run_log import Sink


class Table(Sink):
    """A CSV file that rows are appended to, and that can be restored to its state at a checkpoint."""

    def __init__(self, path: Path, columns: tuple[str, ...]) -> None:
        self.path = path
        if not path.exists() or not path.stat().st_size:
            self.add(*columns)

    def add(self, *row: Any) -> None:
        """Append a row.

        Raises:
            OSError: If it cannot be written; then no part of the row is in the file.
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
        """Return the whole content."""
        return self.path.read_bytes().decode("latin-1")  # preserves any byte

    def set_state(self, state: str) -> None:
        """Restore what `get_state` returned, whatever the file contains now."""
        write_whole(self.path, state.encode("latin-1"))


class EpisodeLog(Table):
    """Writes a row per training episode."""

    name = "episodes"

    def __init__(self, folder: Path) -> None:
        columns = (f.name for f in fields(Episode))
        super().__init__(folder / EPISODES, ("decisions", *columns, "shaped_return", "epsilon"))

    def episode(
        self, decisions: int, episode: Episode, shaped_return: float, epsilon: float
    ) -> None:
        """Append its row."""
        self.add(decisions, *astuple(episode), round(shaped_return, 4), round(epsilon, 6))


class ValidationLog(Table):
    """Writes a row per validation."""

    name = "validations"

    def __init__(self, folder: Path) -> None:
        columns = (
            "decisions",
            "updates",
            "seconds",
            "mean",
            "std",
            "min",
            "max",
            "laps",
            "episodes",
        )
        super().__init__(folder / VALIDATIONS, columns)

    def validation(self, row: Mapping[str, Any], best_before: float) -> None:
        """Append its row."""
        self.add(*row.values())
