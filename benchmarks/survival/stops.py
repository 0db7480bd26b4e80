"""Measures how long a training run takes to stop with a checkpoint, for DDQN.py's default with a full replay.

python -m benchmarks.survival.stops     -> results/survival_stops.csv

The replay is first filled with random data, which takes as much space as real data; everything else is a real run.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import tyro

import DDQN
from agents.backend import set_up_tensorflow
from benchmarks.rows import check_writable, show, write_rows
from benchmarks.survival.checkpoint_cost import remember_noise, trainer_that_saves
from system.exits import EXIT_FAILED, EXIT_STOPPED
from system.forked import ROOT
from training.runs.checkpoint import Checkpoints
from training.runs.run_folder import RunFolder
from training.settings import flat
from training.tracking.status import STATUS

MOST_SECONDS = 10.0  # that a stop may take
MOMENTS = ("training", "validating", "testing")
WAYS = {"DDQN.py": [sys.executable, "DDQN.py"], "boot.sh": ["./boot.sh", "DDQN.py"]}
SIGNALS = (signal.SIGTERM, signal.SIGINT)


@dataclass(frozen=True)
class Options:
    """Stop and resume a run repeatedly, and measure how long the stops take."""

    rounds: int = 1
    """Number of stops at each moment with each signal, of the script and of boot.sh."""
    seed: int = 1
    """Seed of the exact times."""
    csv: Path = ROOT / "results" / "survival_stops.csv"
    """File for the results, one row per stop."""


class Training:
    """A training process.

    Args:
        runs: Folder that contains all runs.
        through: How it is started: by the script or by boot.sh.
        options: Options of the run.
    """

    def __init__(self, runs: Path, through: str, *options: str) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115
        with socket.create_server(("127.0.0.1", 0)) as s:
            port = str(s.getsockname()[1])
        self._process = subprocess.Popen(
            [*WAYS[through], "--runs", str(runs), *options],
            cwd=ROOT,
            env={**os.environ, "TENSORBOARD_PORT": port},
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )

    def said(self) -> str:
        """Return its output so far."""
        return os.pread(self._log.fileno(), 2**20, 0).decode()

    def wait_until(self, what: Callable[[], bool]) -> None:
        """Wait until `what` returns true; the process must not end before that."""
        while not what():
            if self._process.poll() is not None:
                sys.exit(f"error: ended with {self._process.returncode}: {self.said()}")
            time.sleep(0.01)

    def stop(self, signum: signal.Signals, twice: bool) -> tuple[float, int]:
        """Send a signal and wait for the end.

        SIGINT goes to the whole process group, as Ctrl-C in a terminal does.

        Args:
            signum: The signal.
            twice: Whether to send it again as soon as the process has reacted to the first.

        Returns:
            Seconds from the last signal to the end, and the exit code.
        """
        send = os.killpg if signum == signal.SIGINT else os.kill
        send(self._process.pid, signum)
        if twice:
            self.wait_until(lambda: "stopping" in self.said())
            send(self._process.pid, signum)
        began = time.monotonic()
        code = self._process.wait()
        return time.monotonic() - began, code


def fill(runs: Path) -> None:
    """Create a run of default settings with a full replay."""
    settings = DDQN.Settings()
    set_up_tensorflow(settings.threads, "cpu")
    run = RunFolder.create(runs, "DDQN", "one", flat(settings))
    checkpoints = Checkpoints(run.path / "checkpoints", run.identity())
    trainer = trainer_that_saves(settings, run, checkpoints)
    replay = trainer.agent.replay
    while replay.decisions < settings.replay.replay_capacity:
        remember_noise(replay, 10 * settings.checkpoint_every)
        trainer.save()


def phase(run: Path) -> str:
    """Return the phase of a run according to its status.json."""
    status = run / STATUS
    return str(json.loads(status.read_text()).get("phase")) if status.exists() else ""


def stop_at(
    moment: str, through: str, runs: Path, wait: float, signum: signal.Signals, twice: bool = False
) -> dict[str, str]:
    """Resume the run, and stop it shortly after it has reached a phase.

    Args:
        moment: The phase, one of MOMENTS.
        through: How the run is started: by the script or by boot.sh.
        runs: Folder that contains all runs.
        wait: Seconds to wait within the phase.
        signum: The signal.
        twice: Whether to send it again as soon as the process has reacted to the first.

    Returns:
        A row of the results.
    """
    # A run that has made all its decisions starts with its last validation.
    decisions, run = 1 if moment != "training" else 10**7, runs / "DDQN" / "one"
    (run / STATUS).unlink(missing_ok=True)  # left by the previous process
    training = Training(runs, through, "--resume", str(run), "--decisions", str(decisions))
    training.wait_until(lambda: phase(run) == moment)
    time.sleep(wait)
    seconds, code = training.stop(signum, twice)
    manifest = max(run.glob("checkpoints/*/manifest.json"))
    return {
        "while": moment,
        "through": through,
        "signals": signum.name + (", again" if twice else ""),
        "seconds": f"{seconds:.2f}",
        "exit_code": str(code),
        "last_checkpoint": str(json.loads(manifest.read_text())["manifest"]["decisions"]),
        "load": f"{os.getloadavg()[0]:.1f}",
    }


def wrong(row: dict[str, str]) -> bool:
    """Return whether a stop took too long or had an unexpected exit code."""
    with_checkpoint = row["exit_code"] == str(EXIT_STOPPED)
    return float(row["seconds"]) > MOST_SECONDS or with_checkpoint == ("again" in row["signals"])


def main(options: Options) -> None:
    """Create the run, stop it in every phase, and write the results."""
    check_writable(options.csv)
    rng, rows = random.Random(options.seed), list[dict[str, str]]()
    with tempfile.TemporaryDirectory() as name:
        runs = Path(name)
        filling = multiprocessing.get_context("spawn").Process(target=fill, args=(runs,))
        filling.start()
        filling.join()  # its end releases the lock of the run
        for moment, through, signum in [*product(MOMENTS, WAYS, SIGNALS)] * options.rounds:
            rows.append(stop_at(moment, through, runs, rng.uniform(0.5, 4), signum))
        for through, signum in product(WAYS, SIGNALS):
            rows.append(stop_at("training", through, runs, rng.uniform(0.5, 4), signum, twice=True))
    write_rows(options.csv, rows)
    show("From the signal to the end", rows)
    if any(map(wrong, rows)):
        sys.exit(EXIT_FAILED)


if __name__ == "__main__":
    main(tyro.cli(Options))
