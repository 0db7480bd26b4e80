"""Metrics for Prometheus: over HTTP, on the loopback address unless told otherwise, or as a text file."""

from __future__ import annotations

import json
import math
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, start_http_server, write_to_textfile
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from racing.episode import END_REASONS, Episode
from system.files import check_file
from training.runs.checkpoint import Checkpoints
from training.runs.manifest import MANIFEST, file_in_run
from training.runs.run_folder import CHECKPOINTS, RunFolder
from training.tracking.curves import tested_curves, validation_curves
from training.tracking.run_log import Progress, Sink

PREFIX = "race_"
SECONDS_BETWEEN_FILES = 5.0
TICK_BUCKETS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0, 10.0, 30.0)  # seconds
PHASES = ("training", "validating", "testing")
COUNTERS = {
    "decisions": "Decisions made, all cars together",
    "updates": "Gradient steps made",
    "worker_restarts": "Worker processes that died or hung and were replaced",
    "mirror_failures": "Uploads to the mirror that failed",
}
GAUGES = {
    "decisions_wanted": "Decisions of the whole run",
    "training_score": "Mean score of the last training episodes, exploration included",
    "validation_score": "Mean score of the last validation",
    "validation_best_score": "Best mean score of a validation",
    "validation_laps": "Share of the tracks of the last validation with a lap",
    "test_score": "Mean score of the best weights on the test tracks",
    "loss": "Loss, mean over a tick's updates",
    "td_error": "Absolute TD error, mean over a tick's updates",
    "gradient_norm": "Norm of the gradient before it is clipped, mean over a tick's updates",
    "learning_rate": "Learning rate of Adam",
    "mean_q": "Value of the best action, mean over a tick's decisions",
    "epsilon": "Exploration rate, mean over the cars",
    "replay_fill_ratio": "Share of the replay that is filled",
    "checkpoint_seconds": "Time that the last checkpoint took to write",
    "checkpoint_bytes": "Size of the last checkpoint with its replay",
    "disk_free_bytes": "Free space on the disk of the run, when the last checkpoint was written",
    "checkpoint_last_timestamp_seconds": "When the last checkpoint was written, seconds since 1970",
    "mirror_last_success_timestamp_seconds": "When the mirror was last up to date, seconds since 1970",
    "workers": "Worker processes, which drive, besides the process that learns",
}
FROM_CURVES = {
    "learning/loss": "loss",
    "learning/td_error": "td_error",
    "learning/gradient_norm": "gradient_norm",
    "learning/learning_rate": "learning_rate",
    "learning/q": "mean_q",
    "learning/epsilon": "epsilon",
    "learning/replay_fill": "replay_fill_ratio",
    "driving/score": "validation_score",
    "driving/best_score": "validation_best_score",
    "driving/laps": "validation_laps",
    "driving/test_score": "test_score",
}


class _Families(Collector):
    """The collector for the registry; separate from the sink, whose `describe` is a different method."""

    def __init__(self, families: Callable[[], Iterable[Metric]]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        """Return all current metrics; called in the server's thread."""
        return self._families()


class MetricsLog(Sink):
    """A sink that keeps the metrics of a run; counters continue when the run is resumed.

    `serve` and `write_to` set where the metrics are published.
    """

    name = "metrics"

    def __init__(self) -> None:
        self._facts, self._lock = dict[str, str](), threading.Lock()
        self._counters = dict.fromkeys(COUNTERS, 0.0)
        self._episodes: dict[str, float] = dict.fromkeys(END_REASONS, 0.0)
        self._phases = dict.fromkeys(PHASES, 0.0)
        self._ticks, self._tick_sum = [0] * (len(TICK_BUCKETS) + 1), 0.0
        self._gauges: dict[str, float] = {}
        self._phase, self._since = "", 0.0
        self._run = Path()
        self._server: Any = None
        self._file: Path | None = None
        self._file_written = -math.inf
        self.registry = CollectorRegistry()
        self.registry.register(_Families(self.families))

    def serve(self, address: str, port: int) -> int:
        """Serve the metrics over HTTP until `close`; port 0 means any free port.

        Returns:
            The port.

        Raises:
            ValueError: If the address or the port cannot be used.
        """
        try:
            self._server, _ = start_http_server(port, address, self.registry)
        except (OSError, OverflowError) as e:
            reason = getattr(e, "strerror", None) or e
            raise ValueError(f"metrics cannot be served at {address}:{port}: {reason}") from None
        return int(self._server.server_address[1])

    def write_to(self, path: Path) -> None:
        """Write a file every few seconds, for node_exporter's textfile collector.

        Raises:
            ValueError: If it cannot be written.
        """
        check_file(path)
        self._file = path

    def begin(self, run: Path, workers: int) -> None:
        """Record the name of the run."""
        self._run, self._gauges["workers"] = run, workers
        # For a resumed run that was started without metrics, nothing else is known.
        self._counters["decisions"] = max(Checkpoints(run / CHECKPOINTS).steps(), default=0)
        folder = RunFolder(run)
        origin, config = folder.origin(), folder.config()
        self._facts = {
            "run": folder.full_name,
            "commit": str(origin.get("commit", "")),
            "preset": str(config.get("preset", "")),
            "seed": str(config.get("seed", "")),
            "host": socket.gethostname(),
        }

    def scalars(self, decisions: int, values: Mapping[str, float]) -> None:
        """Record the values that have a gauge."""
        with self._lock:
            for curve, gauge in FROM_CURVES.items():
                if curve in values:
                    self._gauges[gauge] = float(values[curve])

    def episode(
        self, decisions: int, episode: Episode, shaped_return: float, epsilon: float
    ) -> None:
        """Count the episode by the reason for its end."""
        with self._lock:
            self._episodes[episode.end_reason] += 1

    def validation(self, row: Mapping[str, Any], best_before: float) -> None:
        """Record the scores."""
        self.scalars(row["decisions"], validation_curves(row, best_before))

    def test(self, decisions: int, episodes: Sequence[Episode]) -> None:
        """Record the score."""
        self.scalars(decisions, tested_curves(episodes))

    def checkpoint(self, decisions: int, seconds: float) -> None:
        """Record its time, duration and size, and the free disk space."""
        manifest = self._run / file_in_run(MANIFEST, decisions)
        files = json.loads(manifest.read_bytes())["manifest"]["files"]
        with self._lock:
            self._gauges |= {
                "checkpoint_seconds": seconds,
                "checkpoint_bytes": sum(file["bytes"] for file in files.values()),
                "disk_free_bytes": shutil.disk_usage(self._run).free,
                "checkpoint_last_timestamp_seconds": time.time(),
            }

    def worker_lost(self, text: str) -> None:
        """Count the lost worker."""
        with self._lock:
            self._counters["worker_restarts"] += 1

    def mirrored(self, whole: bool) -> None:
        """Record the time, or count the failure."""
        with self._lock:
            if whole:
                self._gauges["mirror_last_success_timestamp_seconds"] = time.time()
            else:
                self._counters["mirror_failures"] += 1

    def progress(self, progress: Progress) -> None:
        """Count decisions, updates, ticks, and the time in each phase."""
        now = time.monotonic()
        with self._lock:
            if self._phase:
                self._phases[self._phase] += now - self._since
            self._phase, self._since = progress.phase, now
            if progress.phase == "training" and progress.decisions_per_second > 0:
                made = progress.done - self._counters["decisions"]
                seconds = made / progress.decisions_per_second
                self._counters["decisions"] = progress.done
                self._counters["updates"] += round(progress.updates_per_second * seconds)
                self._gauges |= {
                    "training_score": progress.score,
                    "decisions_wanted": progress.total,
                }
                bucket = sum(seconds > edge for edge in TICK_BUCKETS)
                self._ticks[bucket] += 1
                self._tick_sum += seconds
        self._write_file()

    def families(self) -> Iterable[Metric]:
        """Return all current metrics."""
        with self._lock:
            counters, gauges = dict(self._counters), dict(self._gauges)
            episodes, phases = dict(self._episodes), dict(self._phases)
            ticks, tick_sum = list(self._ticks), self._tick_sum
        yield InfoMetricFamily(PREFIX + "run", "The run", self._facts)
        for name, value in counters.items():
            yield CounterMetricFamily(PREFIX + name, COUNTERS[name], value)
        for name, value in gauges.items():
            yield GaugeMetricFamily(PREFIX + name, GAUGES[name], value)
        by_end = CounterMetricFamily(PREFIX + "episodes", "Training episodes", labels=["end"])
        for end, count in episodes.items():
            by_end.add_metric([end], count)
        yield by_end
        by_phase = CounterMetricFamily(
            PREFIX + "phase_seconds", "Seconds spent in a phase", labels=["phase"]
        )
        for phase, seconds in phases.items():
            by_phase.add_metric([phase], seconds)
        yield by_phase
        edges = [*map(str, TICK_BUCKETS), "+Inf"]
        buckets = [(edge, sum(ticks[: i + 1])) for i, edge in enumerate(edges)]
        yield HistogramMetricFamily(
            PREFIX + "tick_seconds", "Seconds that a tick takes", buckets, tick_sum
        )

    def _write_file(self, last: bool = False) -> None:
        now = time.monotonic()
        if self._file and (last or now - self._file_written >= SECONDS_BETWEEN_FILES):
            self._file_written = now
            with suppress(OSError):  # training continues without it
                write_to_textfile(str(self._file), self.registry)

    def close(self) -> None:
        """Write the file once more and stop the server."""
        self._write_file(last=True)
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def get_state(self) -> dict[str, Any]:
        """Return the counters."""
        return {
            "counters": self._counters,
            "episodes": self._episodes,
            "phases": self._phases,
            "ticks": self._ticks,
            "tick_sum": self._tick_sum,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore what `get_state` returned."""
        with self._lock:
            self._counters |= state["counters"]
            self._episodes |= state["episodes"]
            self._phases |= state["phases"]
            self._ticks, self._tick_sum = list(state["ticks"]), state["tick_sum"]
