"""What it costs a training to be watched: metrics, `runs.py monitor`, a tracker; each on and off in turn in one run.

python -m benchmarks.speed.overhead    -> results/speed_overhead.csv, the table of docs/runs.md (four minutes a case)

Two runs of the same settings differ by several percent on a machine that others use, so a cost of one percent is only
seen within one run: for some ticks the case is on, for as many off, and so on. A case that never answers is in the
list, too, and one that is nothing: how far it is from zero is what this measurement cannot tell.
"""

from __future__ import annotations

import contextlib
import os
import pty
import secrets
import signal
import socket
import statistics
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

import tyro

import DDQN
from benchmarks.rows import as_table, check_writable, show, write_rows
from benchmarks.speed.settings import LEARNING_STARTS, UNINTERRUPTED
from deploy.ports import free_port
from evaluation.evaluation import bootstrap_interval
from reports.report import write_block
from system.forked import ROOT
from system.ranges import Count, check_fields
from training.session import train
from training.settings import changed, flat
from training.tracking.metrics import MetricsLog
from training.tracking.run_log import Progress, RunLog, Sink
from training.tracking.tracker import TrackerLog

PAGE = ROOT / "docs" / "runs.md"
WARM_UP, BLOCK = 8, 8  # ticks
SCRAPE_SECONDS = 5.0
TRACKER = "wandb"
CHECKPOINT_EVERY = BLOCK * 256  # in the middle of each block: five times as often as by default
SETTINGS = changed(
    DDQN.Settings(),
    **UNINTERRUPTED | {"checkpoint_every": CHECKPOINT_EVERY},
    validation_tracks=1,
    workers=1,
    device="cpu",
)


@dataclass(frozen=True)
class Options:
    """What it costs a training to be watched."""

    blocks: Count = 40
    """Of 8 ticks each, half of them with the case on."""
    csv: Path = ROOT / "results" / "speed_overhead.csv"
    """Where the rows go."""


class Case(Sink):
    """Something that watches a run, and can be switched on and off."""

    def switch(self, on: bool) -> None:
        """Called between two ticks."""


class Blocks(Sink):
    """Switches a case on and off, and takes the seconds of each block of ticks.

    Attributes:
        seconds: Of each block; those with odd numbers had the case on.
    """

    def __init__(self, case: Case) -> None:
        self._case, self._ticks, self._began = case, 0, 0.0
        self.seconds: list[float] = []

    def progress(self, progress: Progress) -> None:
        """After every tick."""
        if progress.phase != "training" or not progress.updates_per_second:
            return
        self._ticks += 1
        if self._ticks < WARM_UP or (self._ticks - WARM_UP) % BLOCK:
            return
        now = time.perf_counter()
        if self._ticks > WARM_UP:
            self.seconds.append(now - self._began)
        self._case.switch(len(self.seconds) % 2 == 1)
        self._began = time.perf_counter()


class Sinks(RunLog, Case):
    """Sinks that get no events while they are off."""

    def __init__(self, make: Callable[[Path], list[Sink]]) -> None:
        super().__init__(())
        self._make, self._all = make, list[Sink]()

    def begin(self, run: Path, workers: int) -> None:
        """Make them, now that there is a run."""
        self._all = self._make(run)
        for sink in self._all:
            sink.begin(run, workers)

    def switch(self, on: bool) -> None:
        """Pass events on, or not."""
        self._sinks = tuple(self._all) if on else ()

    def close(self) -> None:
        """Also if they are off."""
        self.switch(True)
        super().close()


class Monitor(Case):
    """`runs.py monitor` on a terminal of its own, stopped while it is off."""

    def begin(self, run: Path, workers: int) -> None:
        """Start it."""
        ours, theirs = pty.openpty()
        line = [sys.executable, "runs.py", "monitor", str(run)]
        self._shown = subprocess.Popen(line, cwd=ROOT, stdout=theirs, stderr=theirs)
        os.close(theirs)
        threading.Thread(target=_drain, args=(ours,), daemon=True).start()

    def switch(self, on: bool) -> None:
        """Let it go on, or stop it."""
        self._shown.send_signal(signal.SIGCONT if on else signal.SIGSTOP)

    def close(self) -> None:
        """End it."""
        self._shown.kill()
        self._shown.wait()


def _drain(terminal: int) -> None:
    with contextlib.suppress(OSError):  # the other end is closed
        while os.read(terminal, 1 << 16):
            pass


class Metrics(Sinks):
    """Metrics, and somebody who asks for them as often as Prometheus does."""

    def __init__(self) -> None:
        log, port = MetricsLog(), free_port()
        super().__init__(lambda run: [log])
        log.serve("127.0.0.1", port)
        self._url, self._on = f"http://127.0.0.1:{port}/metrics", threading.Event()
        threading.Thread(target=self._ask, daemon=True).start()

    def switch(self, on: bool) -> None:
        """Ask, or do not."""
        super().switch(on)
        if on:
            self._on.set()
        else:
            self._on.clear()

    def _ask(self) -> None:
        while self._on.wait():
            urllib.request.urlopen(self._url).read()
            time.sleep(SCRAPE_SECONDS)


class Tracker(Sinks):
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
    "runs.py monitor": Monitor,
    f"{TRACKER}, offline": lambda: Tracker(answers=True),
    f"{TRACKER}, its server never answers": lambda: Tracker(answers=False),
}


def costs(case: Case, blocks: int) -> list[float]:
    """Percent of time that each block with the case on took more than the block without it beside it."""
    ticks, watch = WARM_UP + (blocks + 1) * BLOCK, Blocks(case)
    tick = SETTINGS.cars * SETTINGS.steps_per_tick
    with tempfile.TemporaryDirectory() as runs:
        decisions = LEARNING_STARTS + ticks * tick
        train(changed(SETTINGS, runs=Path(runs), decisions=decisions), sinks=[case, watch])
    off, on = watch.seconds[0:blocks:2], watch.seconds[1:blocks:2]
    return [100 * (b / a - 1) for a, b in zip(off, on, strict=False)]


def main(options: Options) -> None:
    """Measure all cases, write and print what each costs."""
    check_fields(options)
    check_writable(options.csv)
    rows = []
    for name, make in CASES.items():
        if name.startswith(TRACKER) and not find_spec(TRACKER):
            print(f"{name}: left out, for {TRACKER} is not installed", flush=True)
            continue
        found = costs(make(), options.blocks)
        low, high = bootstrap_interval(found)
        rows.append(
            {
                "case": name,
                "pairs_of_blocks": str(len(found)),
                "cost_percent": f"{statistics.mean(found):.2f}",
                "low_percent": f"{low:.2f}",
                "high_percent": f"{high:.2f}",
            }
        )
        print(rows[-1], flush=True)
        write_rows(options.csv, rows)
    show("what it costs to be watched", rows)
    write_block(PAGE, "overhead", as_table(rows))


if __name__ == "__main__":
    main(tyro.cli(Options))
