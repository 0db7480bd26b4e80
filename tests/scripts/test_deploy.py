"""The entry script of servers and containers, run for real; and the files around it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.server import (
    BOOT,
    ENVIRONMENT,
    PATIENCE_SECONDS,
    ROOT,
    TINY,
    Server,
    in_namespaces,
    wait_for,
)

SHOWN = {"custom_scalars", "graphs", "hparams"}  # from the beginning


def _listening_addresses(port: int) -> set[str]:
    """Hexadecimal addresses on which this machine listens at a port."""
    table = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
    rows = [line.split() for line in table.splitlines()]
    local = [row[1].split(":") for row in rows if row[3] == "0A"]
    return {address for address, number in local if int(number, 16) == port}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_training_is_watched_stopped_and_resumed(server: Server) -> None:
    started = server.start("--decisions", "1000000", "--name", "a", *TINY, IN_CONTAINER="1")
    wait_for(lambda: (server.folder / "tensorboard.port").exists())
    assert not server.healthy()
    wait_for(lambda: "DDQN/a" in server.answers("data/runs"))
    assert server.healthy()
    assert "<title>TensorBoard</title>" in server.answers()
    wait_for(lambda: server.pages() >= SHOWN)
    if list(Path("/sys/class/net").glob("*/device")):  # the network of a host
        assert _listening_addresses(server.port) == {"0100007F"}

    started.send_signal(signal.SIGTERM)
    out, err = started.communicate(timeout=PATIENCE_SECONDS)
    assert started.returncode == 3, err
    assert "stopped" in out
    assert server.processes() == []
    assert server.answers() == ""
    *_, stopped_at = server.checkpoints()

    (server.folder / "runs/DDQN/a/note").write_text("mine")
    (elsewhere := server.folder / "elsewhere").mkdir()
    resume = ["--resume", str(server.folder / "runs/DDQN/a"), "--decisions", str(stopped_at + 100)]
    resumed = server.start_in(elsewhere, *resume)
    wait_for(lambda: "DDQN/a" in server.answers("data/runs"))
    _, err = resumed.communicate(timeout=PATIENCE_SECONDS)
    assert resumed.returncode == 0, err
    assert server.processes() == [] and not list(elsewhere.iterdir())
    assert server.checkpoints()[0] == stopped_at < server.checkpoints()[-1]
    assert (server.folder / "runs/DDQN/a/note").read_text() == "mine"


@pytest.mark.slow
def test_what_the_trainer_refuses_ends_everything(server: Server) -> None:
    code, _, err = server.run("DDQN.py", "--cars", "0")
    assert code == 2
    (line,) = [line for line in err.splitlines() if "error" in line]
    assert line.startswith("error: cars must be 1 to 4096, got 0")
    assert not (server.folder / "runs").exists()


@pytest.mark.slow
def test_a_stop_before_training_begins_leaves_nothing(server: Server) -> None:
    started = server.start(*TINY)
    assert started.stdout and started.stdout.readline().startswith("TensorBoard: http://127.0.0.1")
    wait_for(lambda: len(server.processes()) == 3)  # boot.sh, TensorBoard, the trainer
    started.send_signal(signal.SIGHUP)
    started.communicate(timeout=PATIENCE_SECONDS)
    assert started.returncode in (3, 128 + signal.SIGTERM)
    assert server.processes() == []


@pytest.mark.parametrize(
    ("arguments", "variables", "named"),
    [
        (
            ["PPO.py"],
            {},
            "unknown script 'PPO.py'; use DDQN.py, DQN.py, tensorboard, evaluate or notebook",
        ),
        (["--runs", "file"], {}, "cannot write to file"),
        (["DDQN.py", "--runs=file/runs"], {}, "cannot write to file"),
        ([], {"TENSORBOARD_PORT": "http"}, "TENSORBOARD_PORT must be a port"),
        ([], {"TENSORBOARD_PORT": "65536"}, "TENSORBOARD_PORT must be a port"),
    ],
)
def test_bad_input_is_one_line(
    server: Server, arguments: list[str], variables: dict[str, str], named: str
) -> None:
    (server.folder / "file").touch()
    code, out, err = server.run(*arguments, **variables)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("error: ") and named in err
    assert [p.name for p in server.folder.iterdir()] == ["file"]


def test_a_port_in_use_is_one_line(server: Server) -> None:
    with socket.create_server(("127.0.0.1", server.port)):
        code, out, err = server.run(*TINY)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert f"cannot listen on 127.0.0.1:{server.port}: Address already in use" in err
    assert not list(server.folder.iterdir())


def test_in_a_network_of_its_own_a_container_listens_on_all_addresses() -> None:
    """With the port taken, the refusal tells which address it would have been."""
    own_network = in_namespaces("mount -t sysfs sysfs /sys")
    hold = "import socket, subprocess, sys; s = socket.create_server(('0.0.0.0', 6006));"
    hold += "sys.exit(subprocess.call(sys.argv[1:]))"
    command = [*own_network, sys.executable, "-c", hold, str(BOOT)]
    for inside, address in (("1", "0.0.0.0"), ("", "127.0.0.1")):
        environment = {**ENVIRONMENT, "IN_CONTAINER": inside}
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert (done.returncode, f"listen on {address}:6006" in done.stderr) == (2, True)


def test_a_mounted_folder_that_takes_nothing_is_one_line(tmp_path: Path) -> None:
    """Even root cannot write there."""
    (tmp_path / "runs").mkdir()
    command = [*in_namespaces(f"mount -t tmpfs -o ro none {tmp_path}/runs"), str(BOOT)]
    done = subprocess.run(command, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith("error: user 0 cannot write to runs; make a folder of your own")


@pytest.mark.slow
def test_notebooks_are_served_and_stopped(server: Server) -> None:
    pytest.importorskip("jupyterlab")
    started = server.start("notebook", NOTEBOOK_PORT=str(server.port), JUPYTER_TOKEN="secret")
    wait_for(lambda: "run.ipynb" in server.answers("api/contents?token=secret"))
    assert "run.ipynb" not in server.answers("api/contents")  # not without the token
    assert _listening_addresses(server.port) == {"0100007F"}
    started.send_signal(signal.SIGTERM)
    _, err = started.communicate(timeout=PATIENCE_SECONDS)
    assert started.returncode == 0, err
    assert server.processes() == []


def test_without_notebooks_there_is_no_jupyter(tmp_path: Path) -> None:
    alone = shutil.copy(BOOT, tmp_path)
    done = subprocess.run([alone, "notebook"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"error: there is no folder notebooks/ in {tmp_path}\n"


@pytest.mark.parametrize(
    ("tool", "files"),
    [
        ("shellcheck", [str(p) for p in [BOOT, *ROOT.glob("deploy/*.sh")]]),
        ("hadolint", ["Dockerfile"]),
    ],
)
def test_lint(tool: str, files: list[str]) -> None:
    if not shutil.which(tool):
        pytest.skip(f"{tool} is not installed")
    done = subprocess.run([tool, *files], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_an_image_check_that_ends_early_has_failed(tmp_path: Path) -> None:
    """With nothing to build with, and where it gets as far as the first command that fails."""
    (tools := tmp_path / "bin").mkdir()
    for name in ("buildah", "debootstrap", "podman"):
        (tools / name).symlink_to(shutil.which("false") or "/bin/false")
    command = [*in_namespaces(), str(ROOT / "deploy/check_image.sh"), str(tmp_path / "image")]
    path = {"PATH": f"{tools}:{os.environ['PATH']}"}
    done = subprocess.run(command, env={**os.environ, **path}, capture_output=True, text=True)
    assert done.returncode not in (0, 2)
    assert "FAILED" in done.stderr.splitlines() and "PASSED" not in done.stdout


def test_a_container_that_is_started_again_goes_on() -> None:
    """Every training of the page, and the image's own, is one that a second start resumes."""
    page = (ROOT / "docs" / "servers.md").read_text()
    runs = re.findall(r"^(?:docker|hare) run --detach.*\\\n(?:.*\\\n)*(.*)\n", page, re.M)
    assert len(runs) == 2 and all("--name race --resume auto" in run for run in runs)
    (command,) = re.findall(r"^CMD (.+)$", (ROOT / "Dockerfile").read_text(), re.M)
    assert json.loads(command) == ["DDQN.py", "--name", "race", "--resume", "auto"]
    for build in re.findall(r"^(?:docker|hare) build .*GPU.*$", page, re.M):
        assert '--build-arg REVISION="$(git rev-parse HEAD)"' in build


def test_every_package_gets_into_the_image() -> None:
    named = set((ROOT / ".dockerignore").read_text().split())
    packages = {p.parent.name for p in ROOT.glob("*/__init__.py")} - {"benchmarks", "tests"}
    assert packages and {f"!{name}" for name in packages} <= named
    assert "*" in named  # and nothing that is not named
