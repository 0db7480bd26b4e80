"""Whole trials on the nodes of a real Ray cluster."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from system.exits import EXIT_BAD_INPUT
from system.processes import descendants_of
from tests.support.command_line import finish, start
from tests.support.fork_server import Script
from tests.support.long import long
from tests.support.outcome import outcome
from training.actors.ray_cluster import CLUSTER_VARIABLES

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
# Run by a process of its own: a process has one cluster with one token.
CLUSTER = """
import sys
from ray.cluster_utils import Cluster
made = Cluster(True, head_node_args={"num_cpus": 2, "include_dashboard": False})
print(made.address, flush=True)
sys.stdin.read()
made.shutdown()
"""
SHORT = ("--preset", "smoke", "--set", "decisions=700", "--set", "checkpoint_every=64")
GRID = ("--set", "learning_rate=3e-4,6e-4", "--set", "validation_tracks=1")


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
    for name, value in CLUSTER_VARIABLES.items():
        monkeypatch.setenv(name, value)
    with subprocess.Popen([sys.executable, "-c", CLUSTER], stdin=-1, stdout=-1, text=True) as made:
        assert made.stdout
        yield made.stdout.readline().strip()
        made.communicate()


def begin(folder: Path, *more: str) -> Script:
    return start("sweep", "DDQN.py", *SHORT, *GRID, "--folder", str(folder), *more)


@long
def test_trials_are_the_same_there_also_after_a_loss(tmp_path: Path, address: str) -> None:
    """One is killed on its node; it goes on elsewhere."""
    there = begin(tmp_path / "there", "--pool", "ray", "--address", address)
    wait_for(tmp_path / "there", "runs/DDQN/*/checkpoints/000000[1-9]*")
    os.kill(driver_of("ray::RunThere"), signal.SIGKILL)
    finish(there)
    logs = "".join(path.read_text() for path in (tmp_path / "there" / "logs").iterdir())
    assert "lost with its node (ActorDiedError); restarting it on another node" in logs, logs
    finish(begin(tmp_path / "here"))
    places = [sorted((tmp_path / place).glob("runs/DDQN/*")) for place in ("here", "there")]
    assert [p.name for p in places[0]] == [p.name for p in places[1]] and len(places[0]) == 2
    assert [outcome(p) for p in places[0]] == [outcome(p) for p in places[1]]


def wait_for(folder: Path, pattern: str) -> None:
    end = time.monotonic() + 200
    while not list(folder.glob(pattern)):
        assert time.monotonic() < end
        time.sleep(0.05)


def driver_of(title: str) -> int:
    [found] = descendants_of(os.getpid(), title)
    return found


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--address", "192.0.2.1:6379"), "set RAY_AUTH_MODE=token"),
        (("--address", "nowhere"), "host:port or auto"),
        (("--devices", "0"), "devices"),
    ],
)
def test_bad_input(tmp_path: Path, options: tuple[str, ...], message: str) -> None:
    process = begin(tmp_path / "sweep", "--pool", "ray", *options)
    _, err = process.communicate(timeout=100)
    assert process.returncode == EXIT_BAD_INPUT
    assert err.startswith("error: ") and err.count("\n") == 1 and message in err
    assert not (tmp_path / "sweep").exists()
