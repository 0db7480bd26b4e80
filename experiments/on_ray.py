"""Trains a run on a node of a Ray cluster; a local process forwards its output, its exit code, and SIGTERM.

A run that is lost with its node is restarted on another node and continues from its last checkpoint, so all nodes must
share the folder of the runs.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from system.exits import EXIT_FAILED, EXIT_STOPPED, exit_with_error
from system.processes import with_parent_death_signal
from training.actors.ray_cluster import ClusterError, RayCluster
from training.settings import RunSettings

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = (
    f"import sys; sys.path.insert(0, {str(ROOT)!r}); from experiments.on_ray import main; main()"
)
CPUS_EACH = 2  # one for the learner, one for a worker
MOST_LOSSES = 5
POLL_SECONDS, ANSWER_SECONDS = 1.0, 120.0


class RunThere:
    """The remote half of a run: Ray creates this object in its own process on a node."""

    def __init__(self, words: list[str], folder: str, runs: str) -> None:
        self.problem = ""
        if not os.path.isdir(runs) or not os.path.isdir(folder):
            node = socket.gethostname()
            self.problem = f"{node} has no {runs}: all nodes must share the folder of the runs"
            return
        self._output = tempfile.TemporaryFile()  # noqa: SIM115
        self._process = subprocess.Popen(
            with_parent_death_signal(sys.executable, *words),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            process_group=0,
        )

    def news(self, offset: int) -> tuple[bytes, int | None]:
        """Return the output after the first `offset` bytes, and the exit code; None while the run is going on.

        Raises:
            FileNotFoundError: If this node does not have the folder of the runs.
        """
        if self.problem:
            raise FileNotFoundError(self.problem)
        code = self._process.poll()
        return os.pread(self._output.fileno(), 2**20, offset), code

    def stop(self) -> None:
        """Tell the run to save a checkpoint and end."""
        self._process.terminate()


def words_on_ray(
    address: str, settings: RunSettings, runs: Path, words: tuple[str, ...]
) -> tuple[str, ...]:
    """Return Python's command-line arguments that train a run on some node of a cluster.

    Args:
        address: Address of the cluster.
        settings: Settings of the run.
        runs: Folder that contains all runs.
        words: The script and its options.
    """
    cpus = CPUS_EACH if settings.workers == "auto" else settings.workers + 1
    more = ("--workers", str(CPUS_EACH - 1)) if settings.workers == "auto" else ()
    return ("-c", PROGRAM, address, str(cpus), str(runs.absolute()), *words, *more)


def main() -> None:
    """Train the run and exit with its exit code."""
    address, cpus, runs, *words = sys.argv[1:]
    Path(runs).mkdir(parents=True, exist_ok=True)
    try:
        cluster = RayCluster(address, lambda text: print(text, flush=True))
    except ClusterError as e:
        exit_with_error(e)
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopping.append(number))
    for _ in range(MOST_LOSSES):
        remote = cluster.ray.remote(RunThere).options(num_cpus=int(cpus), max_restarts=0)
        run = remote.remote(words, os.getcwd(), runs)
        try:
            code = _follow(cluster, run, stopping)
        except FileNotFoundError as e:
            exit_with_error(e)
        except cluster.lost_errors as lost:
            print(
                f"lost with its node ({type(lost).__name__}); restarting it on another node",
                flush=True,
            )
            continue
        cluster.close()
        raise SystemExit(code)
    exit_with_error(f"lost {MOST_LOSSES} times", EXIT_FAILED)


def _follow(cluster: RayCluster, run: Any, stopping: list[int]) -> int:
    """Print the run's output until it ends; returns its exit code, negative after a signal."""
    offset, asked, placed = 0, False, False
    while True:
        if stopping and not asked:
            run.stop.remote()
            asked = True
        answer = run.news.remote(offset)
        while not placed:  # the run may have to wait for a free CPU
            placed = bool(cluster.ray.wait([answer], timeout=POLL_SECONDS)[0])
            if stopping and not placed:
                return EXIT_STOPPED
        try:
            output, code = cluster.ray.get(answer, timeout=ANSWER_SECONDS)
        except cluster.ray.exceptions.RayTaskError as e:
            raise e.cause from None
        sys.stdout.buffer.write(output)
        sys.stdout.flush()
        offset += len(output)
        if code is not None and not output:
            return int(code)
        time.sleep(0 if output else POLL_SECONDS)
