"""What it costs a training to be watched: metrics, `runs.py monitor`, a tracker; the processor time that each takes.

python -m benchmarks.speed.overhead    -> results/speed_overhead.csv, the table of docs/runs.md (a minute a case)

Whole runs with and without one of these differ by several percent for other reasons, so a cost of one percent cannot
be seen in their speed. Processor time can be attributed: to a call of a sink, to a process, to a scrape.
"""

from __future__ import annotations

import contextlib
import os
import pty
import secrets
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import tyro

import DDQN
from benchmarks.rows import as_table, check_writable, show, write_rows
from benchmarks.speed.settings import LEARNING_STARTS, UNINTERRUPTED
from deploy.ports import free_port
from reports.report import write_block
from system.forked import ROOT
from system.processes import cpu_seconds, descendants_of
from system.ranges import Count, check_fields
from training.session import train
from training.settings import changed, flat
from training.tracking.metrics import MetricsLog
from training.tracking.run_log import Progress, RunLog, Sink
from training.tracking.tracker import TrackerLog

PAGE = ROOT / "docs" / "runs.md"
WARM_UP = 24  # ticks, in which a tracker begins
SCRAPES, SCRAPE_SECONDS = 50, 5.0
TRACKER = "wandb"
CHECKPOINT_TICKS = 8  # where by default there are 39: what is done at checkpoints counts five times
TICK = DDQN.Settings().cars * DDQN.Settings().steps_per_tick  # decisions
SETTINGS = changed(
    DDQN.Settings(),
    **UNINTERRUPTED | {"checkpoint_every": CHECKPOINT_TICKS * TICK},
    validation_tracks=1,
    workers=1,
    device="cpu",
)


@dataclass(frozen=True)
class Options:
    """What it costs a training to be watched."""

    ticks: Count = 40
    """Of training that are measured, in each case."""
    csv: Path = ROOT / "results" / "speed_overhead.csv"
    """Where the rows go."""


class Case(RunLog):
    """Watches a run, and knows how much processor time that took in the thread that trains.

    Attributes:
        seconds: Of processor time.
    """

    def __init__(self, make: Callable[[Path], list[Sink]] = lambda run: []) -> None:
        super().__init__(())
        self._make, self.seconds = make, 0.0

    def begin(self, run: Path, workers: int) -> None:
        """Make the sinks, now that there is a run."""
        self._sinks: tuple[Any, ...] = tuple(_Timed(sink, self) for sink in self._make(run))
        super().begin(run, workers)


class _Timed:
    """Looks like a sink, passes every event on to it and takes the time."""

    def __init__(self, sink: Sink, case: Case) -> None:
        self._sink, self._case = sink, case

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._sink, name)

        def timed(*arguments: Any) -> Any:
            began = time.thread_time()
            try:
                return method(*arguments)
            finally:
                self._case.seconds += time.thread_time() - began

        return timed if callable(method) else method


class Metrics(Case):
    """Metrics, and what it takes to answer as often as Prometheus asks."""

    def __init__(self) -> None:
        log, port = MetricsLog(), free_port()
        super().__init__(lambda run: [log])
        log.serve("127.0.0.1", port)
        self._url, self._last = f"http://127.0.0.1:{port}/metrics", time.monotonic()

    def progress(self, progress: Progress) -> None:
        """Add what the answers since the last tick took; both ends of them, so it is too much."""
        super().progress(progress)
        now = time.monotonic()
        self.seconds += self._scrape * (now - self._last) / SCRAPE_SECONDS
        self._last = now

    def begin(self, run: Path, workers: int) -> None:
        """Measure a scrape."""
        super().begin(run, workers)
        before = time.process_time()
        for _ in range(SCRAPES):
            urllib.request.urlopen(self._url).read()
        self._scrape = (time.process_time() - before) / SCRAPES


class Monitor(Case):
    """`runs.py monitor` in a terminal of its own."""

    _shown: subprocess.Popen[bytes] | None = None

    def begin(self, run: Path, workers: int) -> None:
        """Remember the run, which does not have a status.json yet."""
        self._run = run

    def progress(self, progress: Progress) -> None:
        """Start the monitor after the first tick.

        Raises:
            RuntimeError: If it has ended.
        """
        if self._shown is None:
            ours, theirs = pty.openpty()
            line = [sys.executable, "runs.py", "monitor", str(self._run)]
            self._shown = subprocess.Popen(line, cwd=ROOT, stdout=theirs, stderr=theirs)
            os.close(theirs)
            threading.Thread(target=_drain, args=(ours,), daemon=True).start()
        if self._shown.poll() is not None:
            raise RuntimeError(f"runs.py monitor ended with exit code {self._shown.returncode}")

    def close(self) -> None:
        """End the monitor."""
        if self._shown:
            self._shown.kill()
            self._shown.wait()


def _drain(terminal: int) -> None:
    with contextlib.suppress(OSError):  # the other end is closed
        while os.read(terminal, 1 << 16):
            pass


class Tracker(Case):
    """A tracker that writes to a folder, or one whose server takes connections and says nothing."""

    def __init__(self, answers: bool) -> None:
        super().__init__(lambda run: [TrackerLog(TRACKER, run, flat(SETTINGS), print)])
        os.environ["WANDB_MODE"] = "offline" if answers else "online"
        if not answers:
            self._server = socket.create_server(("127.0.0.1", 0), backlog=100)
            os.environ["WANDB_BASE_URL"] = f"http://127.0.0.1:{self._server.getsockname()[1]}"
            os.environ["WANDB_API_KEY"] = secrets.token_hex(20)


CASES: dict[str, Callable[[], Case]] = {
    "nothing": Case,
    f"metrics, read every {SCRAPE_SECONDS:.0f} s": Metrics,
    "`runs.py monitor`": Monitor,
    f"{TRACKER}, offline": lambda: Tracker(answers=True),
    f"{TRACKER}, its server never answers": lambda: Tracker(answers=False),
}


def processor_seconds(processes: set[int]) -> float:
    """Of these processes, and of their children that have ended."""
    total = 0.0
    for process in processes:
        with contextlib.suppress(OSError):  # it ended just now
            total += cpu_seconds(process, with_ended_children=True)
    return total


class Meter(Sink):
    """Processor time of a training and of the case that watches it, after the first ticks and at the end.

    Attributes:
        training: Seconds, so far.
        watching: Seconds, so far.
    """

    def __init__(self, case: Case, ticks: int) -> None:
        self._case, self._ticks, self._left = case, ticks, WARM_UP + ticks
        self._workers = set[int]()
        self.training = self.watching = self.at_first = 0.0

    def begin(self, run: Path, workers: int) -> None:
        """Note the processes that drive; those that come later watch."""
        self._workers = descendants_of(os.getpid())

    def progress(self, progress: Progress) -> None:
        """After every tick."""
        if progress.phase != "training" or not progress.updates_per_second:
            return
        self._left -= 1
        if self._left in (0, self._ticks):
            others = descendants_of(os.getpid()) - self._workers
            watching = self._case.seconds + processor_seconds(others)
            training = time.process_time() - self._case.seconds + processor_seconds(self._workers)
            if self._left:
                self.at_first = watching
            self.training, self.watching = training - self.training, watching - self.watching


def measure(case: Case, ticks: int) -> dict[str, str]:
    """Train with the case, and tell what it took: at first, and then, in percent of what training takes."""
    meter = Meter(case, ticks)
    decisions = LEARNING_STARTS + (WARM_UP + ticks + 1) * TICK
    with tempfile.TemporaryDirectory() as runs:
        settings = changed(SETTINGS, runs=Path(runs), decisions=decisions)
        train(settings, sinks=[meter, case])
    return {
        "training_seconds": f"{meter.training:.1f}",
        "watching_seconds": f"{meter.watching:.2f}",
        "percent": f"{100 * meter.watching / meter.training:.2f}",
        "seconds_at_first": f"{meter.at_first:.1f}",
    }


def main(options: Options) -> None:
    """Measure all cases, write and print what each costs."""
    check_fields(options)
    check_writable(options.csv)
    rows = []
    for name, make in CASES.items():
        if name.startswith(TRACKER) and not find_spec(TRACKER):
            print(f"{name}: left out, for {TRACKER} is not installed", flush=True)
            continue
        rows.append({"case": name} | measure(make(), options.ticks))
        print(rows[-1], flush=True)
        write_rows(options.csv, rows)
    show("processor time of what watches", rows)
    write_block(PAGE, "overhead", as_table(rows))


if __name__ == "__main__":
    main(tyro.cli(Options))
