"""Measures what it costs that every car is a separate actor: whole runs with 1, 8 and 16 cars per actor, in turn.

python -m benchmarks.speed.units        -> results/speed_units.csv (seven minutes on idle cores)
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import tyro

import DDQN
from benchmarks.rows import check_writable, show, write_rows
from benchmarks.speed.settings import UNINTERRUPTED
from experiments.scripts import words
from system.forked import ROOT
from system.ranges import Count, check_fields
from training.settings import changed

CARS_PER_ACTOR = (1, 8, 16)
SETTINGS = changed(DDQN.Settings(), **UNINTERRUPTED, workers=1, decisions=12_288)


@dataclass(frozen=True)
class Options:
    """Measure what it costs that every car is a separate actor."""

    rounds: Count = 3
    """Number of rounds, each with one run per number of cars per actor."""
    csv: Path = ROOT / "results" / "speed_units.csv"
    """File for the results."""


def run(cars: int) -> dict[str, float]:
    """Train a whole run, and return its wall-clock seconds and CPU seconds."""
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory() as runs:
        settings = changed(SETTINGS, cars_per_actor=cars)
        line = [sys.executable, "DDQN.py", *words(settings, DDQN.Settings()), "--runs", runs]
        subprocess.run(line, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    seconds, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"cpu_seconds": round(cpu, 2), "seconds": round(seconds, 2)}


def main(options: Options) -> None:
    """Measure, write and print the medians."""
    check_fields(options)
    check_writable(options.csv)
    rows = []
    for round_ in range(1, options.rounds + 1):
        for cars in CARS_PER_ACTOR:
            rows.append({"round": round_, "cars_per_actor": cars} | run(cars))
            print(rows[-1], flush=True)
            write_rows(options.csv, rows)
    medians = []
    for cars in CARS_PER_ACTOR:
        mine = [row for row in rows if row["cars_per_actor"] == cars]
        figures = {
            name: f"{statistics.median(row[name] for row in mine):.1f}"
            for name in ("cpu_seconds", "seconds")
        }
        medians.append({"cars per actor": str(cars)} | figures)
    show("medians of whole runs", medians)


if __name__ == "__main__":
    main(tyro.cli(Options))
