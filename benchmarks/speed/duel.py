"""Measures the speed of several programs in turns, within one run, and compares pairs of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import IO, Any

from benchmarks.rows import check_writable, show, write_rows
from benchmarks.speed.turns import ANSWER
from system.exits import EXIT_FAILED, exit_with_error

INSTALL = "pip install torch stable-baselines3 envpool 'gymnasium[box2d]' opencv-python-headless"
_FIND = "import sys; from importlib.util import find_spec as f; print(*[m for m in sys.argv[1:] if not f(m)])"
_HEADS = ("side", "speed", "rival", "its speed", "ratio", "lowest", "highest")


@dataclass(frozen=True)
class Options:
    """Options of all speed benchmarks."""

    csv: Path
    """File for the results."""
    rounds: int = 9
    """Number of rounds; every side has one turn in each."""
    seconds: float = 5.0
    """Length of a turn, seconds."""
    peer_python: Path = Path(sys.executable)
    """Python of the environment with the rivals; by default the current one."""

    def check(self) -> None:
        """Check the options before anything is measured; exits with an error if they are invalid."""
        if self.rounds < 1 or not 0 < self.seconds < float("inf"):
            exit_with_error(
                f"rounds must be at least 1 and seconds above 0, got {self.rounds}, {self.seconds}"
            )
        check_writable(self.csv)


@dataclass(frozen=True)
class Side:
    """A program to be measured.

    Attributes:
        name: Name in the table.
        python: Its Python interpreter.
        arguments: Arguments of the interpreter; the program must call `take_turns`.
    """

    name: str
    python: Path
    arguments: tuple[str, ...]


@dataclass(frozen=True)
class Speed:
    """The speeds of a side in units per second, by round."""

    note: str
    rates: list[float]


def require(python: Path, *modules: str) -> None:
    """Exit with an error if an interpreter lacks one of these modules."""
    try:
        found = subprocess.run([python, "-c", _FIND, *modules], capture_output=True, text=True)
    except OSError as e:
        exit_with_error(f"--peer-python {python}: {e.strerror}")
    missing = found.stdout.split() if found.returncode == 0 else list(modules)
    if missing:
        exit_with_error(
            f"{python} has no {', '.join(missing)}: into an environment of its own, {INSTALL};"
            " then --peer-python with its python"
        )


def measure(sides: list[Side], options: Options) -> dict[str, Speed]:
    """Measure all sides on the same core, one at a time: a turn each to warm up, then a turn each in every round.

    Returns:
        The speeds, by name of the side.
    """
    if hasattr(os, "sched_setaffinity"):  # inherited by the child processes
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with ExitStack() as stack:
        running = {s.name: stack.enter_context(_running(s)) for s in sides}
        speeds = {name: Speed(side.hear()["note"], []) for name, side in running.items()}
        for side in running.values():
            side.turn(options.seconds)
        for _ in range(options.rounds):
            for name, side in running.items():
                speeds[name].rates.append(side.turn(options.seconds))
    return speeds


@contextmanager
def _running(side: Side) -> Iterator[_Running]:
    """Run the process of a side within the context."""
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(
            [side.python, *side.arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        try:
            yield _Running(side.name, process, errors)
        finally:
            process.kill()


@dataclass(frozen=True)
class _Running:
    """The running process of a side."""

    name: str
    process: subprocess.Popen[str]
    errors: IO[str]

    def turn(self, seconds: float) -> float:
        """Let it work for some seconds; returns its speed in units per second."""
        assert self.process.stdin
        with suppress(BrokenPipeError):  # the process has died, which `hear` reports
            print(seconds, file=self.process.stdin, flush=True)
        return float(self.hear()["rate"])

    def hear(self) -> dict[str, Any]:
        """Wait for its next answer."""
        assert self.process.stdout
        for line in self.process.stdout:
            if line.startswith(ANSWER):
                answer: dict[str, Any] = json.loads(line.removeprefix(ANSWER))
                return answer
        self.errors.seek(0)
        said = self.errors.read().strip().splitlines()
        exit_with_error(f"{self.name}: {said[-1] if said else 'ended without a word'}", EXIT_FAILED)


def report(
    title: str,
    unit: str,
    speeds: dict[str, Speed],
    duels: list[tuple[str, str]],
    options: Options,
) -> None:
    """Write a row for every compared pair, and print the rows as a table.

    A ratio is computed in every round, from turns a few seconds apart, so that it does not change if the machine slows
    down over time. The table has the median, the lowest and the highest ratio over the rounds.
    """
    rows, lines = list[dict[str, str]](), list[dict[str, str]]()
    for name, rival in duels:
        ours, theirs = speeds[name], speeds[rival]
        ratios = [a / b for a, b in zip(ours.rates, theirs.rates, strict=True)]
        row = {
            "side": name,
            unit: f"{median(ours.rates):.1f}",
            "rival": rival,
            f"rival_{unit}": f"{median(theirs.rates):.1f}",
            "ratio": f"{median(ratios):.2f}",
            "lowest_ratio": f"{min(ratios):.2f}",
            "highest_ratio": f"{max(ratios):.2f}",
        }
        facts = {"rounds": str(len(ratios)), "side_note": ours.note, "rival_note": theirs.note}
        rows.append(row | facts)
        lines.append(dict(zip(_HEADS, row.values(), strict=True)))
    write_rows(options.csv, rows)
    show(f"{title}: {unit.replace('_', ' ')}, medians of {options.rounds} rounds", lines)
