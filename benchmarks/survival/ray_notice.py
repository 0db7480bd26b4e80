"""Measures how long Ray takes to notice the loss of a node, with its default health checks and with ours.

python -m benchmarks.survival.ray_notice    -> results/survival_ray_notice.csv, docs/cluster.md (five minutes)

A worker on a separate node gets a task that never ends; then the node's raylet is killed, or frozen, as if the machine
hung. The result is the time until the answer fails, which is when the task is given to another worker.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from benchmarks.rows import as_table, check_writable, show, write_rows
from benchmarks.survival.ray_nodes import cluster, raylet
from reports.report import write_block
from training.actors.ray_cluster import CLUSTER_VARIABLES

# The same as in deploy/kubernetes/ray/job.yaml.
OURS = {"RAY_health_check_period_ms": "1000", "RAY_health_check_timeout_ms": "2000"}
CHECKS: dict[str, dict[str, str]] = {"Ray's own": {}, "the manifests'": OURS}
SIGNALS = {"killed": signal.SIGKILL, "frozen": signal.SIGSTOP}
PAGE = Path("docs/cluster.md")
SETTLED_SECONDS = 15.0  # a node that has just joined is not checked at first
PATIENCE_SECONDS = 300.0


@dataclass(frozen=True)
class Options:
    """Measure the time until a lost node is noticed."""

    csv: Annotated[Path, tyro.conf.arg(metavar="PATH")] = Path("results/survival_ray_notice.csv")
    """File for the results."""
    node: str = ""
    """For child processes of this program: what to do to a node."""


class Endless:
    """A worker that never answers."""

    def begin(self) -> bool:
        """Return once the worker is running."""
        return True

    def work(self) -> None:
        """Work forever."""
        time.sleep(10 * PATIENCE_SECONDS)


def notice(what: str) -> float:
    """Return the seconds from the loss of a node to the failure of its answer."""
    from training.actors.ray_cluster import RayCluster

    with cluster(2) as made:
        connection = RayCluster(made.address)
        ray = connection.ray
        [node] = made.worker_nodes
        strategy = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
        place: dict[str, Any] = {"scheduling_strategy": strategy(node.node_id, soft=False)}
        worker = ray.remote(Endless).options(num_cpus=1, max_restarts=0, **place).remote()
        ray.get(worker.begin.remote(), timeout=PATIENCE_SECONDS)
        time.sleep(SETTLED_SECONDS)
        answer = worker.work.remote()
        os.kill(raylet(node), SIGNALS[what])
        began = time.monotonic()
        try:
            ray.get(answer, timeout=PATIENCE_SECONDS)
        except connection.lost_errors as e:
            seconds = time.monotonic() - began
            if isinstance(e, ray.exceptions.GetTimeoutError):
                raise
        connection.close()
    return seconds


def in_child(checks: dict[str, str], what: str) -> float:
    """Measure in a child process, because Ray reads its settings only once per process."""
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.survival.ray_notice", "--node", what],
        env=os.environ | CLUSTER_VARIABLES | checks | token,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return float(done.stdout.split()[-1])


def main(options: Options) -> None:
    """Measure all cases, and write the results."""
    if options.node:
        print(notice(options.node))
        return
    check_writable(options.csv)
    rows = []
    for name, checks in CHECKS.items():
        for what in SIGNALS:
            seconds = in_child(checks, what)
            rows.append({"health checks": name, "node": what, "seconds": f"{seconds:.1f}"})
            print(rows[-1], flush=True)
            write_rows(options.csv, rows)
    show("noticed after", rows)
    write_block(PAGE, "notice", as_table(rows))


if __name__ == "__main__":
    main(tyro.cli(Options))
