"""Writes status.json: the current state of a run, for other processes, also over ssh or on NFS."""

from __future__ import annotations

import math
import os
import socket
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from racing.episode import Episode
from system.files import replace_file
from system.times import now
from training.runs.run_folder import as_json
from training.tracking.run_log import Progress, Sink

STATUS = "status.json"
SECONDS_BETWEEN_WRITES = 2.0
HISTORY = 60  # points of the speed and score that are kept, one per write


class StatusLog(Sink):
    """Writes the file atomically, every few seconds and at every change of state.

    Args:
        folder: Folder of the run.
        workers: Number of worker processes.
    """

    def __init__(self, folder: Path, workers: int) -> None:
        self._path, self._written = folder / STATUS, -math.inf
        self._history: deque[list[float]] = deque(maxlen=HISTORY)
        self._facts: dict[str, Any] = {
            "state": "running",
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "workers": workers,
            "worker_restarts": 0,
        }

    def progress(self, progress: Progress) -> None:
        """Record the progress; write the file every few seconds."""
        p = progress
        self._facts |= {"phase": p.phase, "done": p.done, "total": p.total}
        if p.phase == "training":
            self._facts |= {
                "decisions": p.done,
                "decisions_total": p.total,
                "training_score": None if math.isnan(p.score) else round(p.score, 2),
                "decisions_per_second": round(p.decisions_per_second, 1),
                "updates_per_second": round(p.updates_per_second, 1),
            }
        if time.monotonic() - self._written >= SECONDS_BETWEEN_WRITES:
            if p.phase == "training":
                score = self._facts["training_score"]
                self._history.append([round(time.time(), 1), p.done, score])
            self.write()

    def validation(self, row: Mapping[str, Any], best_before: float) -> None:
        """Record the best score."""
        best = max(row["mean"], best_before)
        self._facts |= {"validation_score": row["mean"], "best_validation_score": best}

    def checkpoint(self, decisions: int, seconds: float) -> None:
        """Record the last checkpoint."""
        self._facts |= {"checkpoint_decisions": decisions, "checkpoint_time": now()}

    def test(self, decisions: int, episodes: Sequence[Episode]) -> None:
        """Record the mean score."""
        self._facts["test_score"] = round(float(np.mean([e.score for e in episodes])), 2)

    def worker_lost(self, text: str) -> None:
        """Count the lost worker."""
        self._facts["worker_restarts"] += 1

    def state(self, state: str, reason: str = "") -> None:
        """Record that the run is `running`, `stopped`, `finished` or `failed`, and why; write at once."""
        self._facts |= {"state": state, "reason": reason}
        self.write()

    def write(self) -> None:
        """Write the file; errors are ignored, because training does not need it."""
        self._written = time.monotonic()
        facts = self._facts | {"time": now(), "history": list(self._history)}
        try:
            replace_file(self._path, as_json(facts))
        except OSError:
            return
