"""Workers on real Ray clusters: the same bits wherever they are, and whatever is lost."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from DDQN import DDQN
from system.exits import EXIT_BAD_INPUT
from system.processes import descendants_of
from tests.support.command_line import arguments, finish, start
from tests.support.corridor import MessageRecorder, ddqn, drive_there
from tests.support.outcome import outcome
from training.actors import ray_workers
from training.actors.ray_cluster import CLUSTER_VARIABLES, ClusterError, RayCluster, check_address
from training.actors.ray_workers import RayWorkerGroup
from training.runs.origin import surroundings
from training.runs.run_folder import RunFolder
from training.runs.store import Runs
from training.session import actor_spec
from training.settings import check
from training.tracking.run_log import Progress, Sink

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
# Else the death of a node is noticed after 14 s, a frozen one after 64 s.
NOTICE_SOON = CLUSTER_VARIABLES | {
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "2000",
    "RAY_health_check_failure_threshold": "3",
    "RAY_memory_monitor_refresh_ms": "0",
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": secrets.token_hex(32),  # a process keeps its first
}


class At(Sink):
    """Does something when so many decisions are made."""

    def __init__(self, callbacks: dict[int, Callable[[], object]]) -> None:
        self._callbacks = callbacks

    def progress(self, progress: Progress) -> None:
        for decisions in sorted(self._callbacks):
            if progress.phase == "training" and progress.done >= decisions:
                self._callbacks.pop(decisions)()


class Slowly(Sink):
    """From so many decisions on, ticks take so many seconds that a process may begin between two of them."""

    SECONDS = 4.0

    def __init__(self, decisions: int, until: Callable[[], bool]) -> None:
        self._decisions, self._until = decisions, until

    def progress(self, progress: Progress) -> None:
        if progress.done >= self._decisions and not self._until():
            time.sleep(self.SECONDS)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """One node with a CPU, which wants a token; the last test adds others."""
    patch = pytest.MonkeyPatch()
    for name, value in NOTICE_SOON.items():
        patch.setenv(name, value)
    from ray.cluster_utils import Cluster

    made = Cluster(True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    yield made
    made.shutdown()  # type: ignore[no-untyped-call]
    patch.undo()


def raylet(node: Any) -> int:
    [process] = node.all_processes["raylet"]
    pid: int = process.process.pid
    return pid


def kill_a_worker() -> None:
    """One of this test's cluster: another test's may be at work, too."""
    os.kill(descendants_of(os.getpid(), "ray::RayActor").pop(), signal.SIGKILL)


def test_ray_started_for_a_run_listens_on_loopback_only(tmp_path: Path) -> None:
    """And is gone with it, also when it is killed; the token it makes is in no file."""
    here, there = (
        arguments(runs=str(tmp_path / p), cars=2, decisions=700) for p in ("here", "ray")
    )
    finish(start("DDQN", *here))
    process = start("DDQN", *there, "--workers", "auto", "--pool", "ray")
    while not list(tmp_path.glob("ray/DDQN/*/episodes.csv")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    listening = listeners({process.pid} | descendants_of(process.pid))
    assert listening and {host.removeprefix("::ffff:") for host, _ in listening} == {"127.0.0.1"}
    finish(process)
    one, other = (Runs(tmp_path / place).resolve("-1").path for place in ("here", "ray"))
    assert outcome(one) == outcome(other)
    wait_until_silent(listening)


def wait_until_silent(addresses: list[tuple[str, int]]) -> None:
    end = time.monotonic() + 30
    while any(socket.socket().connect_ex(("127.0.0.1", port)) == 0 for _, port in addresses):
        assert time.monotonic() < end, "something is left running"
        time.sleep(0.2)


def listeners(pids: set[int]) -> list[tuple[str, int]]:
    """Addresses where these processes listen: state 0A of /proc/net/tcp, by the numbers of their sockets."""
    inodes = set[str]()
    for pid in pids:
        for link in Path(f"/proc/{pid}/fd").glob("*"):
            try:
                inodes.add(os.readlink(link))
            except OSError:
                continue
    found = []
    for name in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == "0A" and f"socket:[{words[9]}]" in inodes:
                found.append(address_of(words[1]))
    return found


def address_of(word: str) -> tuple[str, int]:
    """Host and port as the kernel writes them: hexadecimal, groups of four bytes in this machine's order."""
    host, port = word.split(":")
    groups = [bytes.fromhex(host[i : i + 8])[::-1] for i in range(0, len(host), 8)]
    family = socket.AF_INET if len(groups) == 1 else socket.AF_INET6
    return socket.inet_ntop(family, b"".join(groups)), int(port, 16)


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("127.0.0.1:1", "no Ray cluster at 127.0.0.1:1"),
        ("ray://127.0.0.1:10001", "host:port or auto"),
        ("somewhere", "host:port or auto"),
        ("192.0.2.7:6379", "set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN"),
    ],
)
def test_bad_addresses(tmp_path: Path, address: str, message: str) -> None:
    """One line, exit code 2, nothing written, within seconds."""
    options = arguments(runs=str(tmp_path / "runs"), workers="auto", pool="ray", address=address)
    process = start("DDQN", *options)
    _, err = process.communicate(timeout=120)
    assert process.returncode == EXIT_BAD_INPUT, err
    assert err.startswith("error: ") and message in err and err.count("\n") == 1
    assert not (tmp_path / "runs").exists()


def test_usage_statistics_are_off_whatever_the_environment_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "1")
    with pytest.raises(ClusterError):
        RayCluster("127.0.0.1:1")
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"


def test_a_wrong_token_is_refused(cluster: Any) -> None:
    code = f"from training.actors.ray_cluster import RayCluster\nRayCluster({cluster.address!r})\n"
    environment = os.environ | {"RAY_AUTH_TOKEN": secrets.token_hex(32)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120
    )
    assert "ClusterError: no Ray cluster" in done.stderr, done.stderr


def test_a_token_beyond_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Named, it is enough to ask; an empty one is none."""
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    for value, message in (("", "set RAY_AUTH_MODE"), ("a" * 64, "no Ray cluster at")):
        monkeypatch.setenv("RAY_AUTH_TOKEN", value)
        with pytest.raises(ClusterError, match=message):
            check_address("192.0.2.7:6379")


def test_another_version_is_refused_and_another_cpu_told(cluster: Any) -> None:
    messages = list[str]()
    cluster_ = RayCluster(cluster.address, messages.append)
    try:
        settings = ddqn(Path())
        joined = RayWorkerGroup(cluster_, actor_spec(settings, DDQN), 1, surroundings)
        theirs = surroundings() | {"processor": "another kind", "node": "there"}
        joined.check_node(theirs)
        assert "another kind of CPU" in messages[-1] and "another kind" in joined.processors
        for name in ("commit", "Python", "numpy"):
            with pytest.raises(ClusterError, match=f"the {name} is 0.1, here it is"):
                joined.check_node(theirs | {name: "0.1"})
    finally:
        cluster_.close()


def test_too_few_cpus_are_told(
    tmp_path: Path, cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The only one is for the process that learns."""
    monkeypatch.setattr(ray_workers, "SECONDS_TO_JOIN", 3.0)
    with pytest.raises(ClusterError, match="no CPU is free for a worker: the cluster has 1"):
        drive_there(ddqn(tmp_path, workers="auto", pool="ray", address=cluster.address))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"address": "127.0.0.1:6379"}, "set pool to ray"),
        ({"pool": "ray", "workers": 0}, "workers must be at least 1"),
    ],
)
def test_settings_that_hang_together(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check(ddqn(Path(), **{"workers": 1} | settings))


def test_nodes_that_die_freeze_and_join_change_nothing(
    tmp_path: Path, cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A killed node, a frozen one, a killed worker and a new node, which gets the time it takes to begin."""
    monkeypatch.setattr(ray_workers, "SECONDS_TO_PLACE_AGAIN", 3.0)
    killed, frozen = (cluster.add_node(num_cpus=1) for _ in range(2))
    messages = MessageRecorder()
    callbacks = At(
        {
            300: lambda: os.kill(raylet(killed), signal.SIGKILL),
            800: lambda: cluster.add_node(num_cpus=1),
            1200: lambda: os.kill(raylet(frozen), signal.SIGSTOP),
            2000: kill_a_worker,
        }
    )
    slowly = Slowly(800, until=lambda: "Ray: 1 more workers" in messages.lines)
    settings = ddqn(
        tmp_path / "ray", workers="auto", pool="ray", address=cluster.address, cars_per_actor=3
    )
    try:
        run = drive_there(settings, sinks=[messages, callbacks, slowly]).run
    finally:
        os.kill(raylet(frozen), signal.SIGKILL)
    alone = drive_there(ddqn(tmp_path / "here", cars_per_actor=3)).run
    assert outcome(run) == outcome(alone)
    lost = [line for line in messages.lines if "died or hung" in line]
    assert len(lost) >= 2, messages.lines
    assert "Ray: 1 more workers" in messages.lines
    kinds = RunFolder(run).origin()["processors"]
    assert list(kinds) == [surroundings()["processor"]] and kinds.popitem()[1] >= 3
