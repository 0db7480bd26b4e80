"""Kills a training run, or its workers, many times; the result must be that of an undisturbed run.

python -m benchmarks.survival.kills --kills 50 --worker-kills 20     -> results/survival_kills.csv
"""

from __future__ import annotations

import os
import random
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import tyro

import training.session  # noqa: F401  (what the forked scripts need not load)
from benchmarks.rows import check_writable, write_rows
from system.exits import exit_with_error
from system.forked import ROOT, Forked
from system.processes import children_of
from training.runs.fingerprint import Fingerprint, fingerprint

SECONDS_TO_END = 30.0  # for a run's other processes, after the end of the trainer
CHECKPOINT_EVERY = 128  # decisions
SECONDS_BETWEEN_CHECKPOINTS = 0.7  # CPU time, approximately
MOST_SECONDS_TO_WORKER_KILL = 0.2  # after a checkpoint, so that kills keep up with the run
RUN = ["--preset=smoke", f"--checkpoint-every={CHECKPOINT_EVERY}", "--test-episodes=0"]
RUN += ["--device=cpu"]


def start(runs: Path, *options: str) -> Forked:
    """Start or resume a run; returns when it has started to train."""
    begun = sorted((runs / "DDQN").glob("*/config.json"))
    line = ["--resume", str(begun[0].parent)] if begun else [*RUN, "--name", "run"]
    process = Forked("DDQN", "--runs", str(runs), *line, *options)
    process.wait_until(lambda: ": DDQN" in process.out())
    return process


def finish(process: Forked) -> str:
    """Wait for a run to end, check that it succeeded, and return its output."""
    code = process.finish()
    patience = time.monotonic() + SECONDS_TO_END
    while process.group_lives() and time.monotonic() < patience:
        time.sleep(0.1)
    if code or process.err() or process.group_lives():
        raise RuntimeError(f"ended with {code}: {process.out()}{process.err()}")
    return process.out()


def undisturbed(runs: Path, decisions: int) -> Fingerprint:
    """Train a whole run without disturbances."""
    finish(start(runs, "--decisions", str(decisions), "--workers", "0"))
    return fingerprint(runs / "DDQN" / "run")


def newest(runs: Path) -> int:
    """Return the decisions of the last checkpoint."""
    checkpoints = runs / "DDQN" / "run" / "checkpoints"
    return max((int(p.name) for p in checkpoints.glob("[0-9]*")), default=0)


def decisions_before(number: int, kills: int, decisions: int) -> int:
    """Return the decisions to wait for before a kill; kills are spread so that some saves are left for the last."""
    return 4 * decisions * number // (5 * kills) - CHECKPOINT_EVERY


def kill_and_resume(
    runs: Path, decisions: int, kills: int, rng: random.Random
) -> tuple[Fingerprint, int]:
    """Kill the whole process group `kills` times, resume the run each time, and let it finish.

    Args:
        runs: Folder of the run.
        decisions: Length of the run.
        kills: Number of kills; every third happens as soon as a save begins, the others at random times.
        rng: Chooses the times and the number of workers.

    Returns:
        The fingerprint of the finished run, and the number of kills that interrupted a save.
    """
    cut_saves = 0
    checkpoints = runs / "DDQN" / "run" / "checkpoints"
    for number in range(kills):
        process = start(
            runs, "--decisions", str(decisions), "--workers", str(int(number % 10 == 9))
        )
        due = decisions_before(number, kills, decisions)
        process.wait_until(lambda due=due: newest(runs) > due)  # type: ignore[misc]
        if number % 3:
            process.work(rng.uniform(0, SECONDS_BETWEEN_CHECKPOINTS))
        else:
            process.wait_until(lambda: any(checkpoints.glob(".*.part")))
            time.sleep(rng.choice((0.0, 0.002, 0.01)))
        if process.poll() is not None:
            raise RuntimeError(f"ended before kill {number + 1} of {kills}")
        process.kill()
        cut_saves += any(checkpoints.rglob(".*.part*"))
    finish(start(runs, "--decisions", str(decisions), "--workers", "0"))
    return fingerprint(runs / "DDQN" / "run"), cut_saves


def kill_workers(
    runs: Path, decisions: int, kills: int, rng: random.Random
) -> tuple[Fingerprint, int]:
    """Kill a worker process of a run `kills` times at random times.

    Every fourth kill comes at once after the one before, when the new process may still be starting. The others wait
    until the run has made progress, because several losses on the same request end a run.

    Returns:
        The fingerprint of the finished run, and the number of lost workers that its output reported.
    """
    process = start(runs, "--decisions", str(decisions), "--workers", "2")
    for number in range(kills):
        if number % 4:
            due = max(decisions_before(number, kills, decisions), newest(runs))
            process.wait_until(lambda due=due: newest(runs) > due)  # type: ignore[misc]
        time.sleep(rng.uniform(0, MOST_SECONDS_TO_WORKER_KILL))
        if process.poll() is not None:
            raise RuntimeError(f"ended before kill {number + 1} of {kills}")
        process.wait_until(lambda: bool(children_of(process.pid)))  # both may just have died
        os.kill(rng.choice(children_of(process.pid)), signal.SIGKILL)
    told = finish(process).count("another worker repeats its task")
    return fingerprint(runs / "DDQN" / "run"), told


@dataclass(frozen=True)
class Options:
    """Kill a run and its workers, and compare the results with an undisturbed run."""

    kills: int = 50
    """Number of kills of the whole process group, each followed by a resume."""
    worker_kills: int = 20
    """Number of kills of a worker process."""
    decisions: int = 3_072
    """Length of the run, decisions."""
    seed: int = 1
    """Seed of the times of the kills."""
    csv: Path = ROOT / "results" / "survival_kills.csv"
    """File for the results."""


def main(options: Options) -> None:
    """Train all runs, compare them, and write the results."""
    if not options.kills and not options.worker_kills:
        exit_with_error("kills or worker_kills must be at least 1")
    check_writable(options.csv)
    rng, rows = random.Random(options.seed), []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        expected = undisturbed(folder / "undisturbed", options.decisions)
        for what, kills, carry_out in (
            ("process group", options.kills, kill_and_resume),
            ("worker", options.worker_kills, kill_workers),
        ):
            if not kills:
                continue
            found, seen = carry_out(folder / what, options.decisions, kills, rng)
            group = what == "process group"
            row = {
                "killed": what,
                "kills": kills,
                "decisions": options.decisions,
                "saves_cut": seen if group else "",
                "told_in_log": "" if group else seen,
                "different": found.differences(expected),
            }
            rows.append(row)
            print(row, flush=True)
    write_rows(options.csv, rows)
    if any(row["different"] != "nothing" for row in rows):
        sys.exit("error: not the same")


if __name__ == "__main__":
    main(tyro.cli(Options))
