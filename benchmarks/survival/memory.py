"""Tests whether the memory of a long run stays constant, over all its processes, with shared pages counted once.

python -m benchmarks.survival.memory     -> results/survival_memory.csv
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import tyro

from benchmarks.rows import check_writable, write_rows
from benchmarks.survival.kills import RUN
from system.exits import exit_with_error
from system.forked import ROOT

REPLAY = 20_000


@dataclass(frozen=True)
class Options:
    """Train with a small replay, and record the memory."""

    decisions: int = 300_000
    """Length of the run, decisions."""
    samples: int = 30
    """Number of samples."""
    tolerance: float = 0.02
    """By which share the last fifth of the run may need more memory than the fifth after the replay is full."""
    csv: Path = ROOT / "results" / "survival_memory.csv"
    """File for the samples."""


def memory_mib(group: int) -> float:
    """Return the memory of all processes of a session, as proportional set size, MiB."""
    total = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            session = int((process / "stat").read_text().rpartition(")")[2].split()[3])
            if session == group:
                rollup = (process / "smaps_rollup").read_text()
                total += int(rollup.partition("\nPss:")[2].split()[0])
        except (OSError, IndexError):
            continue  # the process has just ended
    return total / 1024


def decisions_in(status: Path) -> int:
    """Return the decisions in a run's status.json."""
    return int(json.loads(status.read_text()).get("decisions", 0)) if status.exists() else 0


def command_line(decisions: int, runs: Path) -> list[str]:
    """Return the options of the run: small images, a small network, a small replay."""
    changes = f"--decisions {decisions} --cars 16 --cars-per-actor 16 --steps-per-tick 16"
    changes += (
        f" --height 8 --width 8 --frame-skip 1 --greedy-frame-skip 1 --replay-capacity {REPLAY}"
    )
    changes += " --checkpoint-every 10000 --validate-every 50000 --workers 1 --learning-starts 2000"
    return [*RUN, "--name", "long", *changes.split(), "--runs", str(runs)]


def watch(options: Options, runs: Path) -> list[tuple[int, float]]:
    """Train, and return samples (decisions, MiB)."""
    command = [sys.executable, "DDQN.py", *command_line(options.decisions, runs)]
    with (runs / "log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=log, stderr=log, start_new_session=True
        )
    samples: list[tuple[int, float]] = []
    while process.poll() is None:
        time.sleep(0.2)
        now = decisions_in(runs / "DDQN" / "long" / "status.json")
        if now * options.samples >= options.decisions * (len(samples) + 1):
            samples.append((now, round(memory_mib(process.pid), 1)))
            print(*samples[-1], flush=True)
    if process.returncode:
        sys.exit((runs / "log").read_text())
    return samples


def main(options: Options) -> None:
    """Train, write the samples, and compare the beginning with the end."""
    if options.decisions <= 2 * REPLAY:
        exit_with_error(f"decisions must be more than {2 * REPLAY}, twice the replay")
    check_writable(options.csv)
    with tempfile.TemporaryDirectory() as folder:
        samples = watch(options, Path(folder))
    write_rows(options.csv, [{"decisions": n, "mib": mib} for n, mib in samples])
    full = [mib for decisions, mib in samples if decisions > REPLAY]
    fifth = max(len(full) // 5, 1)
    first, last = sum(full[:fifth]) / fifth, sum(full[-fifth:]) / fifth
    print(
        f"after the replay is full {first:.1f} MiB, in the end {last:.1f} MiB ({last / first - 1:+.2%})"
    )
    if last > first * (1 + options.tolerance):
        sys.exit("error: it grows")


if __name__ == "__main__":
    main(tyro.cli(Options))
