"""Trains the same short run on different kinds of workers, including real Ray clusters, and compares the results.

python -m benchmarks.survival.ray_nodes    -> results/survival_ray.csv (six minutes)

Workers: this process; two processes; Ray on one node; Ray on three nodes, one of which is killed and one frozen, while
one is added and a worker is killed; the same, stopped half way and resumed in this process. The hashes cover the last
checkpoint and the logs.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any

import tyro

from benchmarks.rows import check_writable, show, write_rows
from system.processes import descendants_of
from training.actors.ray_cluster import CLUSTER_VARIABLES
from training.tracking.run_log import Progress, Sink

# As in the manifests in deploy/kubernetes/ray: the loss of a node is noticed within seconds instead of a minute.
PATIENCE = {
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "2000",
    "RAY_health_check_failure_threshold": "3",
}
DECISIONS = 6144
CARS = 8


@dataclass(frozen=True)
class Options:
    """Check that a run gives the same bits on any nodes, even if some of them are lost."""

    csv: Annotated[Path, tyro.conf.arg(metavar="PATH")] = Path("results/survival_ray.csv")
    """File for the results."""
    part: str = ""
    """For child processes of this program: the part to run."""


class At(Sink):
    """Calls a function after a number of decisions, and counts lost workers."""

    def __init__(self, deeds: dict[int, Callable[[], object]]) -> None:
        self._deeds, self.lost = deeds, 0

    def progress(self, progress: Progress) -> None:
        """Call the function once there are enough decisions."""
        for decisions in sorted(self._deeds):
            if progress.phase == "training" and progress.done >= decisions:
                self._deeds.pop(decisions)()

    def worker_lost(self, text: str) -> None:
        """Count a lost worker."""
        self.lost += 1


@contextmanager
def cluster(nodes: int) -> Iterator[Any]:
    """Start a cluster of nodes with one CPU each, on the loopback address, with a token."""
    from ray.cluster_utils import Cluster

    made = Cluster(True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    for _ in range(nodes - 1):
        made.add_node(num_cpus=1)
    try:
        yield made
    finally:
        for node in [made.head_node, *made.worker_nodes]:
            _signal_if_there(node, signal.SIGCONT)
        made.shutdown()  # type: ignore[no-untyped-call]


def raylet(node: Any) -> int:
    """Return the process id of a node's raylet."""
    [started] = node.all_processes["raylet"]
    return int(started.process.pid)


def _signal_if_there(node: Any, number: signal.Signals) -> None:
    try:
        os.kill(raylet(node), number)
    except (ProcessLookupError, KeyError, ValueError):
        return


def a_worker() -> int:
    """Return the process id of a worker of this process."""
    return min(descendants_of(os.getpid(), "ray::RayActor"))


def drive(place: str) -> dict[str, Any]:
    """Train the run on one kind of workers; returns its hash, the number of lost workers, and its seconds."""
    import DDQN
    from training.runs.fingerprint import fingerprint
    from training.runs.run_folder import RunFolder
    from training.session import train
    from training.settings import changed
    from training.stop import Stop

    with tempfile.TemporaryDirectory() as runs:
        smoke = changed(
            DDQN.PRESETS["smoke"],
            runs=Path(runs),
            decisions=DECISIONS,
            cars=CARS,
            test_episodes=0,
            workers=0,
        )
        began = time.monotonic()
        if place == "this process":
            sink = At({})
            run = train(smoke, DDQN.DDQN).run
        elif place == "2 processes":
            sink = At({})
            run = train(changed(smoke, workers=2), DDQN.DDQN).run
        elif place == "Ray, one node":
            sink = At({})
            run = train(changed(smoke, workers="auto", pool="ray"), DDQN.DDQN, sinks=[sink]).run
        else:
            with cluster(3) as made:
                there = changed(smoke, workers="auto", pool="ray", address=made.address)
                killed, frozen = made.worker_nodes
                stop = Stop()
                sink = At(
                    {
                        1000: lambda: os.kill(raylet(killed), signal.SIGKILL),
                        1500: lambda: made.add_node(num_cpus=1),
                        2500: lambda: os.kill(raylet(frozen), signal.SIGSTOP),
                        4500: lambda: os.kill(a_worker(), signal.SIGKILL),
                    }
                )
                if place.endswith("resumed here"):
                    sink = At(
                        {1000: lambda: os.kill(raylet(killed), signal.SIGKILL), 3000: stop.ask}
                    )
                run = train(there, DDQN.DDQN, sinks=[sink], stop=stop).run
            if place.endswith("resumed here"):
                run = train(smoke, DDQN.DDQN, run=RunFolder(run)).run
        seconds = time.monotonic() - began
        digest = sha256(json.dumps(asdict(fingerprint(run)), sort_keys=True).encode()).hexdigest()
    return {"hash": digest[:16], "workers_lost": sink.lost, "seconds": round(seconds, 1)}


def in_child(part: str) -> dict[str, Any]:
    """Run a part in a child process, because Ray reads its settings only once per process."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.survival.ray_nodes", "--part", part],
        env=os.environ
        | PATIENCE
        | {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
        | CLUSTER_VARIABLES
        | {"RAY_memory_monitor_refresh_ms": "0"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


PLACES = (
    "this process",
    "2 processes",
    "Ray, one node",
    "Ray, three nodes with faults",
    "Ray, three nodes, resumed here",
)


def main(options: Options) -> None:
    """Train on all kinds of workers, compare and write the results."""
    if options.part:
        print(json.dumps(drive(options.part)))
        return
    check_writable(options.csv)
    rows = []
    for place in PLACES:
        found = in_child(place)
        rows.append({"place": place, **found})
        write_rows(options.csv, rows)
        print(rows[-1], flush=True)
    show("the same run", [{k: str(v) for k, v in row.items()} for row in rows])
    print("different:", len({row["hash"] for row in rows}) - 1)


if __name__ == "__main__":
    main(tyro.cli(Options))
