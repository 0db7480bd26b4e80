"""Real processes that are stopped, doubled and starved. Those that are killed are in tests/benchmarks."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from system.exits import EXIT_FAILED, EXIT_STOPPED
from system.processes import children_of
from tests.support.command_line import ROOT, arguments, start, start_from_nothing, wait_until
from tests.support.fork_server import Script

STARTING = "starting; TensorFlow takes a few seconds to load\n"
STOPPING = "stopping; a second signal ends at once\n"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


def is_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def begun(*options: str) -> Script:
    """A run that has begun to train."""
    process = start("DDQN", *options)
    assert process.stdout.readline() == STARTING
    assert "DDQN, seed" in process.stdout.readline()
    return process


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_at_once(tmp_path: Path, signum: signal.Signals) -> None:
    """In a tick that takes a while, and to the whole group, as Ctrl-C is."""
    slow = arguments(
        runs=str(tmp_path), name="slow", workers=1, steps_per_tick=190, decisions=10**6
    )
    process = begun(*slow)
    saved = tmp_path / "DDQN" / "slow" / "checkpoints" / "000000000" / "manifest.json"
    wait_until(process, saved.exists)
    os.killpg(process.pid, signum)
    assert process.stderr.readline() == STOPPING  # two signals at once would be one
    os.killpg(process.pid, signum)
    _, err = process.communicate(timeout=900)
    assert process.returncode == -signum, err
    assert err == ""
    while is_alive(process.pid):
        time.sleep(0.05)
    assert saved.exists()


@pytest.mark.parametrize(
    ("script", "loading"),
    [
        *((script, "numpy") for script in ("DDQN", "DQN", "evaluate", "pid_control")),
        ("human_control", "numpy"),
        ("DDQN", "tensorflow"),
    ],
)
def test_ctrl_c_while_python_loads(tmp_path: Path, script: str, loading: str) -> None:
    """No complaint, nothing left. runs.py has nothing to load before it knows what is wanted."""
    train = arguments(runs=str(tmp_path / "runs"), decisions=10**6)
    options = {"DDQN": train, "DQN": train, "evaluate": [str(ROOT / "models" / "ddqn.safetensors")]}
    process = start_from_nothing(script, *options.get(script, []))
    while loading not in Path(f"/proc/{process.pid}/maps").read_text():
        assert process.poll() is None, process.communicate()
        time.sleep(0.001)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=900)
    assert process.returncode == -signal.SIGINT, err
    assert err == "" and out in ("", STARTING)
    assert not list(tmp_path.iterdir())


def test_stopped_while_the_best_weights_are_tested(tmp_path: Path) -> None:
    """Training is over and saved; the test is made again by who resumes."""
    options = arguments(runs=str(tmp_path), name="one", workers=0, decisions=64, test_episodes=50)
    process = begun(*options)
    wait_until(process, lambda: bool(children_of(process.pid)))
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=900)
    assert (process.returncode, err) == (EXIT_STOPPED, STOPPING)
    while is_alive(process.pid):
        time.sleep(0.05)
    run = tmp_path / "DDQN" / "one"
    assert not (run / "test.csv").exists()
    again = start("DDQN", "--resume", str(run), "--test-episodes", "1")
    out, err = again.communicate(timeout=900)
    assert (again.returncode, err) == (0, ""), err
    assert "on 1 tracks it never saw" in out
    assert (run / "test.csv").read_text().count("\n") == 2


def test_the_terminal_is_closed(tmp_path: Path) -> None:
    """As when an ssh connection breaks: a checkpoint is made, though nobody can be told any more."""
    ours, theirs = pty.openpty()
    line = arguments(
        runs=str(tmp_path), name="left", decisions=10**6, checkpoint_every=10**6, workers=1
    )
    process = subprocess.Popen(
        [sys.executable, "DDQN.py", *line],
        cwd=ROOT,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: take_terminal(0),
    )
    os.close(theirs)
    checkpoints = tmp_path / "DDQN" / "left" / "checkpoints"
    log = tmp_path / "DDQN" / "left" / "episodes.csv"
    while not log.exists() or log.read_text().count("\n") < 3:
        assert process.poll() is None, os.read(ours, 2**16)
        if select.select([ours], [], [], 0.01)[0]:
            os.read(ours, 2**16)
    os.close(ours)
    assert process.wait(timeout=900) == EXIT_STOPPED
    while is_alive(process.pid):
        time.sleep(0.05)
    first, last = sorted(path.parent.name for path in checkpoints.glob("*/manifest.json"))
    assert int(first) == 0 < int(last)


def take_terminal(number: int) -> None:
    """Make a file the terminal of this session, which hears when it is closed."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    fcntl.ioctl(number, termios.TIOCSCTTY, 0)


def test_two_trainers_on_one_folder(tmp_path: Path) -> None:
    """The second is refused while the first lives, and allowed when it was killed."""
    first = begun(*arguments(runs=str(tmp_path), name="busy", decisions=10**6, workers=1))
    folder = str(tmp_path / "DDQN" / "busy")
    second = ("--resume", folder, "--decisions", "64", "--workers", "0")
    try:
        refused = start("DDQN", *second)
        out, err = refused.communicate(timeout=900)
        assert (refused.returncode, out) == (2, STARTING)
        assert err == f"error: {folder} is being trained by another process\n"
        assert first.poll() is None
    finally:
        first.kill()  # its worker notices by itself
        first.communicate()
    allowed = start("DDQN", *second)
    _, err = allowed.communicate(timeout=900)
    assert (allowed.returncode, err) == (0, "")
    assert json.loads((Path(folder) / "config.json").read_text())["decisions"] == 64
    while is_alive(first.pid):
        time.sleep(0.05)


def test_a_run_that_diverges_fails_in_one_line(tmp_path: Path) -> None:
    options = arguments(runs=str(tmp_path), name="wild", learning_rate=1e12, checkpoint_every=64)
    process = start("DDQN", *options)
    _, err = process.communicate(timeout=900)
    assert process.returncode == EXIT_FAILED, err
    assert err.startswith("error: after ") and err.count("\n") == 1, err
    assert "the last checkpoint and the best weights are kept" in err
    assert list(tmp_path.glob("DDQN/wild/checkpoints/*/manifest.json"))


def test_a_damaged_run_on_the_command_line(tmp_path: Path) -> None:
    """The checkpoint before is used, and said so; where there is none that is whole, nothing is touched."""
    short = {"decisions": 320, "checkpoint_every": 64}
    process = start("DDQN", *arguments(runs=str(tmp_path), name="rotten", **short))
    process.communicate(timeout=900)
    run = tmp_path / "DDQN" / "rotten"
    newest, before = (run / "checkpoints" / name for name in ("000000320", "000000256"))
    (newest / "arrays.safetensors").unlink()
    again = start("DDQN", "--resume", str(run))
    out, err = again.communicate(timeout=900)
    assert (again.returncode, err) == (0, ""), err
    assert (
        f"{newest}/arrays.safetensors: No such file or directory; trying the previous checkpoint"
        in out
    )
    config = run / "config.json"
    config.write_bytes(config.read_bytes().replace(b'"gamma": 0.98', b'"gamma": 0.97'))

    def content() -> dict[Path, bytes]:
        return {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}

    files = content()
    again = start("DDQN", "--resume", str(run))
    _, err = again.communicate(timeout=900)
    assert again.returncode == 2, err
    assert err.count("\n") == 1 and str(before) in err and "config.json has changed" in err
    assert files == content()
