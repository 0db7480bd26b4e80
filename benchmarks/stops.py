"""How long a training takes to end with a checkpoint when it is told to: DDQN.py as it is, its replay full.

python -m benchmarks.stops     -> results/survival_stops.csv

The replay is filled with noise, which takes its room; from then on everything is real.
"""

from __future__ import annotations

import csv
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
from dataclasses import astuple, dataclass, fields
from itertools import product
from pathlib import Path

import tyro

import DDQN
from benchmarks.checkpoint_cost import remember_noise
from benchmarks.forked import ROOT
from training.checkpoint import Checkpoints
from training.journal import Journal
from training.refusal import EXIT_STOPPED
from training.run_folder import RunFolder
from training.tensorflow_setup import set_up_tensorflow

MOMENTS = ("driving", "validation", "test")
WAYS = {"DDQN.py": [sys.executable, "DDQN.py"], "boot.sh": ["./boot.sh", "DDQN.py"]}


@dataclass(frozen=True)
class Options:
    """Stop a run again and again, and time it."""

    rounds: int = 2
    """Stops at each moment by each signal, through the script and through boot.sh."""
    seed: int = 1
    """Of the moments."""
    csv: Path = ROOT / "results" / "survival_stops.csv"
    """Where to write the times."""


@dataclass(frozen=True)
class Stop:
    """A row: what it was doing, how it was told, how it ended, its last checkpoint, and the load of the machine."""

    while_: str
    through: str
    signals: str
    seconds: float
    exit_code: int
    checkpoint: int
    load: float


class Training:
    """A run that is going on.

    Args:
        runs: Folder of all runs.
        through: Which way.
        options: Of the run.
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
        """Its output so far."""
        return os.pread(self._log.fileno(), 2**20, 0).decode()

    def wait_until(self, what: Callable[[], bool]) -> None:
        """Until something is so; it must not end before."""
        while not what():
            if self._process.poll() is not None:
                sys.exit(f"error: ended with {self._process.returncode}: {self.said()}")
            time.sleep(0.01)

    def stop(self, signum: signal.Signals, twice: bool) -> tuple[float, int]:
        """Send a signal, Ctrl-C to the whole group as a terminal does; a second one when it answers to the first.

        Returns:
            Seconds from the last signal to the end, and the exit code.
        """
        send = os.killpg if signum == signal.SIGINT else os.kill
        send(self._process.pid, signum)
        began = time.monotonic()
        if twice:
            self.wait_until(lambda: "stopping" in self.said())
            send(self._process.pid, signum)
            began = time.monotonic()
        code = self._process.wait()
        return round(time.monotonic() - began, 2), code


def fill(runs: Path) -> None:
    """Begin a run of default settings whose replay is full."""
    settings = DDQN.Settings()
    set_up_tensorflow(settings.threads, "cpu")
    trainer = DDQN.build(settings)
    run = RunFolder.create(runs, "DDQN", "one", settings)
    checkpoints = Checkpoints(run.path / "checkpoints", run.identity())
    with Journal(run.path, settings.decisions) as journal:
        while trainer.decisions < settings.replay_decisions:
            remember_noise(trainer, 10 * settings.checkpoint_every)
            trainer.save(journal, checkpoints)


def stop_at(moment: str, through: str, runs: Path, wait: float, *signals: signal.Signals) -> Stop:
    """Go on with the run, stop it a moment after it does what it shall be stopped in.

    Args:
        moment: One of MOMENTS.
        through: Which way.
        runs: Folder of all runs.
        wait: Seconds of the moment.
        signals: One, or twice the same.
    """
    # A run whose decisions are made begins with its last validation.
    decisions = 1 if moment != "driving" else 10**7
    training = Training(runs, through, "--resume", "latest", "--decisions", str(decisions))
    training.wait_until(lambda: "DDQN, seed" in training.said())
    if moment == "test":
        training.wait_until(lambda: "  validation " in training.said())
    time.sleep(wait)
    seconds, code = training.stop(signals[0], len(signals) == 2)
    manifest = max((runs / "DDQN").glob("*/checkpoints/*/manifest.json"))
    checkpoint = json.loads(manifest.read_text())["manifest"]["decisions"]
    names, load = "+".join(s.name for s in signals), round(os.getloadavg()[0], 1)
    return Stop(moment, through, names, seconds, code, checkpoint, load)


def main(options: Options) -> None:
    """Fill a replay, stop at every moment, write the times."""
    rng, stops = random.Random(options.seed), list[Stop]()
    with tempfile.TemporaryDirectory() as name:
        runs = Path(name)
        filling = multiprocessing.get_context("spawn").Process(target=fill, args=(runs,))
        filling.start()
        filling.join()  # with its end it gives the run free
        ways = list(product(MOMENTS, WAYS, (signal.SIGTERM, signal.SIGINT)))
        for moment, through, signum in ways * options.rounds:
            stops.append(stop_at(moment, through, runs, rng.uniform(0.5, 4), signum))
            print(*astuple(stops[-1]), flush=True)
        for through, signum in product(WAYS, (signal.SIGTERM, signal.SIGINT)):
            stops.append(stop_at("driving", through, runs, rng.uniform(0.5, 4), signum, signum))
            print(*astuple(stops[-1]), flush=True)
    with options.csv.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(f.name.rstrip("_") for f in fields(Stop))
        writer.writerows(map(astuple, stops))
    late = [
        s
        for s in stops
        if s.seconds > 10 or ("+" not in s.signals) != (s.exit_code == EXIT_STOPPED)
    ]
    if late:
        sys.exit(f"error: {late}")


if __name__ == "__main__":
    main(tyro.cli(Options))
