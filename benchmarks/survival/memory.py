"""Whether a long run's memory stays flat: all its processes, shared pages counted once, while it trains.

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
    """Train with a small replay and watch the memory."""

    decisions: int = 300_000
    """Length of the run."""
    samples: int = 30
    """How many to keep."""
    tolerance: float = 0.02
    """How much more the last fifth may take than the fifth after the replay is full, as a share."""
    csv: Path = ROOT / "results" / "survival_memory.csv"
    """Where to write the samples."""


def memory_mib(group: int) -> float:
    """What all processes of a session take together, MiB: proportional set size."""
    total = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            session = int((process / "stat").read_text().rpartition(")")[2].split()[3])
            if session == group:
                rollup = (process / "smaps_rollup").read_text()
                total += int(rollup.partition("\nPss:")[2].split()[0])
        except (OSError, IndexError):
            continue  # it has just ended
    return total / 1024


def decisions_in(status: Path) -> int:
    """Decisions that a run's status.json tells of."""
    return int(json.loads(status.read_text()).get("decisions", 0)) if status.exists() else 0


def command_line(decisions: int, runs: Path) -> list[str]:
    """Options of the run: small pictures, a small network, a small replay."""
    changes = f"--decisions {decisions} --cars 16 --cars-per-actor 16 --steps-per-tick 16"
    changes += (
        f" --height 8 --width 8 --frame-skip 1 --greedy-frame-skip 1 --replay-capacity {REPLAY}"
    )
    changes += " --checkpoint-every 10000 --validate-every 50000 --workers 1 --learning-starts 2000"
    return [*RUN, "--name", "long", *changes.split(), "--runs", str(runs)]


def watch(options: Options, runs: Path) -> list[tuple[int, float]]:
    """Train, and sample (decisions, MiB)."""
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
    """Watch, write, compare."""
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
