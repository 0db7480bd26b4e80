"""What it costs a training to be watched: metrics, a mirror, a monitor, a tracker, Ray; each against without, in turn.

python -m benchmarks.speed.overhead    -> results/speed_overhead.csv, docs/scale.md (ten minutes, quiet)

Every round makes a short default run of each case, with a checkpoint in it. A case's cost is the median over the
rounds of its time against that of the plain run in the same round.
"""

from __future__ import annotations

import contextlib
import os
import pty
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import tyro

import DDQN
from benchmarks.rows import refuse_unwritable, show, write_rows
from deploy.ports import free_port
from deploy.s3_server import S3Server
from reports.markdown import table
from reports.report import write_block
from training.session import train
from training.settings import changed
from training.tracking.run_log import Progress, Sink

PAGE = Path("docs/scale.md")
PLAIN = "plain"
LEARNING_STARTS = 1024  # decisions: soon
WARM_UP, TICKS = 6, 44
CHECKPOINT_EVERY = 10_000  # decisions, as by default: one of them falls into the time that is taken
SCRAPES_EVERY = 5.0  # seconds
TRACKER = "wandb"
CASES = {
    PLAIN: "",
    "metrics, scraped every 5 s": "metrics",
    "mirror, S3 server here": "mirror",
    "runs.py monitor": "monitor",
    f"{TRACKER}, offline": "tracker",
    f"{TRACKER}, its server never answers": "silent tracker",
    "Ray, one worker": "ray",
}


@dataclass(frozen=True)
class Options:
    """What it costs to be watched."""

    rounds: int = 5
    """Rounds of all cases."""
    csv: Annotated[Path, tyro.conf.arg(metavar="PATH")] = Path("results/speed_overhead.csv")
    """Where the rows go."""
    case: str | None = None
    """What a child process of this runs."""


class Ticks(Sink):
    """When each tick that learned ended."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def progress(self, progress: Progress) -> None:
        """After every tick."""
        if progress.phase == "training" and progress.updates_per_second:
            self.ends.append(time.perf_counter())


def seconds_of(case: str) -> float:
    """Seconds of the ticks after the first ones, with one checkpoint among them."""
    ticks, more = Ticks(), dict[str, Any]()
    with contextlib.ExitStack() as stack:
        runs = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        sinks: list[Sink] = [ticks]
        if case == "metrics":
            sinks.append(_scraped(stack))
        elif case == "mirror":
            server = S3Server(runs / "server")
            server.start()
            stack.callback(server.kill)
            os.environ |= server.environment
            more = {"mirror_to": server.url}
        elif case == "monitor":
            stack.enter_context(_monitor(runs))
        elif case == "tracker":
            os.environ["WANDB_MODE"] = "offline"
            more = {"track": TRACKER}
        elif case == "silent tracker":
            os.environ["WANDB_BASE_URL"] = _silent(stack)
            os.environ["WANDB_API_KEY"] = secrets.token_hex(20)
            more = {"track": TRACKER}
        elif case == "ray":
            more = {"pool": "ray"}
        train(_settings(runs, **more), sinks=sinks)
    assert len(ticks.ends) >= WARM_UP + TICKS, len(ticks.ends)
    return ticks.ends[WARM_UP + TICKS - 1] - ticks.ends[WARM_UP - 1]


def _settings(runs: Path, **more: Any) -> DDQN.Settings:
    settings = DDQN.Settings()
    tick = settings.cars * settings.steps_per_tick
    options = {
        "runs": runs,
        "decisions": LEARNING_STARTS + (WARM_UP + TICKS + 2) * tick,
        "learning_starts": LEARNING_STARTS,
        "checkpoint_every": CHECKPOINT_EVERY,
        "validate_every": 10**9,
        "validation_tracks": 1,
        "test_episodes": 0,
        "workers": 1,
        "device": "cpu",
    }
    return changed(settings, **options | more)


def _scraped(stack: contextlib.ExitStack) -> Sink:
    """Metrics, and a process that asks for them again and again, as Prometheus does."""
    from training.tracking.metrics import MetricsLog

    log, port = MetricsLog(), free_port()
    log.serve("127.0.0.1", port)
    asks = (
        "import time, urllib.request\nwhile True:\n"
        f"    urllib.request.urlopen('http://127.0.0.1:{port}/metrics').read()\n"
        f"    time.sleep({SCRAPES_EVERY})\n"
    )
    urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics").read()
    stack.callback(subprocess.Popen([sys.executable, "-c", asks]).kill)
    return log


@contextlib.contextmanager
def _monitor(runs: Path) -> Iterator[None]:
    """`runs.py monitor` on a terminal, as soon as there is a run."""
    waits = f'until {sys.executable} runs.py monitor --runs "{runs}"; do sleep 1; done 2>/dev/null'
    ours, theirs = pty.openpty()
    shown = subprocess.Popen(["sh", "-c", waits], stdout=theirs, stderr=theirs, process_group=0)
    drained = subprocess.Popen(["cat"], stdin=ours, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        os.killpg(shown.pid, 9)
        drained.kill()


def _silent(stack: contextlib.ExitStack) -> str:
    """The address of a server that takes connections and says nothing."""
    server = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=100))
    return f"http://127.0.0.1:{server.getsockname()[1]}"


def in_child(case: str) -> float:
    """In a process of its own, for what a case changes in it."""
    words = [sys.executable, "-m", "benchmarks.speed.overhead", "--case", case]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
    return float(done.stdout.split()[-1])


def main(options: Options) -> None:
    """Run all cases in turn."""
    if options.case is not None:
        print(seconds_of(options.case))
        return
    refuse_unwritable(options.csv)
    cases = {n: c for n, c in CASES.items() if "tracker" not in c or find_spec(TRACKER)}
    taken: dict[str, list[float]] = {name: [] for name in cases}
    for number in range(1, options.rounds + 1):
        for name, case in cases.items():
            taken[name].append(in_child(case))
            against = taken[name][-1] / taken[PLAIN][-1] - 1
            print(f"round {number}, {name}: {taken[name][-1]:.2f} s ({against:+.1%})", flush=True)
    rows = [_row(name, seconds, taken[PLAIN]) for name, seconds in taken.items()]
    write_rows(options.csv, rows)
    show("against the plain run", rows)
    write_block(PAGE, "overhead", table(list(rows[0]), [list(row.values()) for row in rows]))


def _row(name: str, seconds: list[float], plain: list[float]) -> dict[str, str]:
    ratios = [100 * (a / b - 1) for a, b in zip(seconds, plain, strict=True)]
    tick = DDQN.Settings().cars * DDQN.Settings().steps_per_tick
    return {
        "case": name,
        "rounds": str(len(seconds)),
        "decisions_per_second": f"{TICKS * tick / statistics.median(seconds):.0f}",
        "cost_percent": f"{statistics.median(ratios):.1f}",
        "lowest_percent": f"{min(ratios):.1f}",
        "highest_percent": f"{max(ratios):.1f}",
    }


if __name__ == "__main__":
    main(tyro.cli(Options))
