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
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BOOT = ROOT / "boot.sh"
PATIENCE_SECONDS = 150.0  # for anything that must happen on a busy machine
INSTALL = "CARRACING_TEST_INSTALL"  # set it to download and install all dependencies
# Where there is no .venv, boot.sh takes the first python3 in PATH: let it be this one.
ENVIRONMENT = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
TINY = ["--cars=2", "--learn-from=64", "--batch-size=16", "--replay-decisions=2000"]
TINY += ["--slots-per-tick=8", "--validate-every=100000", "--validation-tracks=1"]
TINY += ["--test-episodes=0"]


class Server:
    """Starts boot.sh and knows every process that came of it, by a mark in its environment."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, _free_port()
        self._mark = ("CARRACING_TEST_MARK", str(folder))

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        """Run boot.sh in the folder."""
        port = {"TENSORBOARD_PORT": str(self.port), "TMPDIR": str(self.folder)}
        return subprocess.Popen(
            [str(BOOT), *arguments],
            cwd=self.folder,
            env={**ENVIRONMENT, **port, **variables, **dict([self._mark])},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, **variables: str) -> tuple[int, str, str]:
        """Exit code, stdout and stderr of boot.sh; nothing that it started may be left."""
        out, err = (started := self.start(*arguments, **variables)).communicate(timeout=200)
        assert self.processes() == []
        return started.returncode, out, err

    def processes(self) -> list[int]:
        """Process ids of what runs."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if "=".join(self._mark).encode() in (process / "environ").read_bytes().split(b"\0"):
                    found.append(int(process.name))
            except OSError:
                continue  # it ended, or is somebody else's
        return found

    def answers(self, path: str = "") -> str:
        """What TensorBoard says, or nothing."""
        try:
            url = f"http://127.0.0.1:{self.port}/{path}"
            with urllib.request.urlopen(url, timeout=5) as answer:
                text: str = answer.read().decode()
                return text
        except OSError:
            return ""

    def healthy(self) -> bool:
        """Whether the health check passes."""
        return self.start("health").wait(timeout=20) == 0

    def checkpoints(self) -> list[int]:
        """Decisions of every checkpoint, oldest first."""
        states = self.folder.glob("runs/DDQN/*/checkpoints/*/state.json")
        return sorted(json.loads(p.read_text())["decisions"] for p in states)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server whose processes end with the test, however that ends."""
    server = Server(tmp_path)
    yield server
    for process in server.processes():
        os.kill(process, signal.SIGKILL)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as s:
        port: int = s.getsockname()[1]
        return port


def _wait_for(what: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not what():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.2)


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
    _wait_for(lambda: (server.folder / "tensorboard.port").exists())
    assert not server.healthy()
    _wait_for(lambda: "DDQN/a" in server.answers("data/runs"))
    assert server.healthy()
    assert "<title>TensorBoard</title>" in server.answers()
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
    code, _, err = server.run("--resume", "latest", "--decisions", str(stopped_at + 100))
    assert code == 0, err
    assert server.checkpoints()[0] == stopped_at < server.checkpoints()[-1]
    assert (server.folder / "runs/DDQN/a/note").read_text() == "mine"


@pytest.mark.slow
def test_what_the_trainer_refuses_ends_everything(server: Server) -> None:
    code, _, err = server.run("DDQN.py", "--cars", "0")
    assert code == 2
    assert "error: cars must be at least 1, got 0" in err
    assert not (server.folder / "runs").exists()


@pytest.mark.slow
def test_a_stop_before_training_begins_leaves_nothing(server: Server) -> None:
    started = server.start(*TINY)
    assert started.stdout and started.stdout.readline().startswith("TensorBoard: http://127.0.0.1")
    _wait_for(lambda: len(server.processes()) == 3)  # boot.sh, TensorBoard, the trainer
    started.send_signal(signal.SIGHUP)
    started.communicate(timeout=PATIENCE_SECONDS)
    assert started.returncode in (3, 128 + signal.SIGTERM)
    assert server.processes() == []


@pytest.mark.parametrize(
    ("arguments", "variables", "named"),
    [
        (["PPO.py"], {}, "unknown script 'PPO.py'; use DDQN.py, DQN.py, evaluate or notebook"),
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
    unshare = ["unshare", "--map-root-user", "--net", "--mount", "sh", "-c"]
    own_network = [*unshare, 'mount -t sysfs sysfs /sys && exec "$0" "$@"']
    if subprocess.run([*own_network, "true"], capture_output=True).returncode:
        pytest.skip("this system does not let us make a network namespace")
    hold = "import socket, subprocess, sys; s = socket.create_server(('0.0.0.0', 6006));"
    hold += "sys.exit(subprocess.call(sys.argv[1:]))"
    command = [*own_network, sys.executable, "-c", hold, str(BOOT)]
    for inside, address in (("1", "0.0.0.0"), ("", "127.0.0.1")):
        environment = {**ENVIRONMENT, "IN_CONTAINER": inside}
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert (done.returncode, f"listen on {address}:6006" in done.stderr) == (2, True)


def test_without_notebooks_there_is_no_jupyter(tmp_path: Path) -> None:
    alone = shutil.copy(BOOT, tmp_path)
    done = subprocess.run([alone, "notebook"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"error: there is no folder notebooks/ in {tmp_path}\n"


@pytest.mark.parametrize(
    ("tool", "files"),
    [
        ("shellcheck", ["boot.sh", "deploy/check_image.sh"]),
        ("hadolint", ["Dockerfile"]),
    ],
)
def test_lint(tool: str, files: list[str]) -> None:
    if not shutil.which(tool):
        pytest.skip(f"{tool} is not installed")
    done = subprocess.run([tool, *files], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_every_package_gets_into_the_image() -> None:
    named = set((ROOT / ".dockerignore").read_text().split())
    packages = {p.parent.name for p in ROOT.glob("*/__init__.py")} - {"benchmarks", "tests"}
    assert packages and {f"!{name}" for name in packages} <= named
    assert "*" in named  # and nothing that is not named


def test_one_tensorflow_and_one_python_everywhere() -> None:
    conda = (ROOT / "build_conda_env.yml").read_text()
    dockerfile = (ROOT / "Dockerfile").read_text()
    (locked,) = re.findall(r"^tensorflow==([\d.]+)", (ROOT / "requirements.lock").read_text(), re.M)
    assert re.findall(r"tensorflow\[and-cuda\]==([\d.]+)", conda) == [locked]
    assert re.findall(r"- python=([\d.]+)", conda) == re.findall(
        r"FROM python:([\d.]+)", dockerfile
    )


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif(INSTALL not in os.environ, reason=f"downloads 1 GB; {INSTALL}=1 asks for it")
def test_the_pip_part_of_the_conda_file_trains(tmp_path: Path) -> None:
    conda = (ROOT / "build_conda_env.yml").read_text()
    shutil.copy(ROOT / "requirements.lock", tmp_path)
    lines = re.findall(r"^ {6}- (.+)$", conda.partition("- pip:\n")[2], re.M)
    (tmp_path / "pip.txt").write_text("\n".join(lines))
    (version,) = re.findall(r"- python=([\d.]+)", conda)
    wanted = shutil.which(f"python{version}") or ""
    usable = wanted and not subprocess.run([wanted, "-c", ""], capture_output=True).returncode
    subprocess.run(
        [wanted if usable else sys.executable, "-m", "venv", "venv"], cwd=tmp_path, check=True
    )
    subprocess.run(["venv/bin/pip", "install", "-q", "-r", "pip.txt"], cwd=tmp_path, check=True)
    train = ["venv/bin/python", str(ROOT / "DDQN.py"), "--decisions", "200", *TINY]
    subprocess.run(train, cwd=tmp_path, check=True)
    assert list(tmp_path.glob("runs/DDQN/*/checkpoints/*/manifest.json"))
