"""What is not right is refused: exit code 2, one clear line, nothing written, no traceback."""

from __future__ import annotations

import importlib
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from system.processes import STOP_SIGNALS
from tests.support import networks  # noqa: F401  (sets TensorFlow up as the scripts will again)
from tests.support.command_line import Value, arguments, files_below, start, wait_until
from training.main import main

ErrorOf = Callable[..., str]
SCRIPTS = ("DDQN", "DQN")


@pytest.fixture
def error_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[ErrorOf]:
    """Call a script's own main, as its command line does, and give the line it ends with."""
    monkeypatch.chdir(tmp_path)
    handlers = {s: signal.getsignal(s) for s in (*STOP_SIGNALS, signal.SIGALRM)}
    lost = sys.unraisablehook

    def call(script: str, *options: str) -> str:
        module = importlib.import_module(script)
        before = {p: p.is_file() and p.read_bytes() for p in files_below(tmp_path)}
        monkeypatch.setattr(sys, "argv", [f"{script}.py", *options])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main(getattr(module, script), module.PRESETS)
        _, err = capsys.readouterr()
        assert end.value.code == 2, err
        assert "Traceback" not in err
        assert {p: p.is_file() and p.read_bytes() for p in files_below(tmp_path)} == before
        return err

    yield call
    for s, handler in handlers.items():
        signal.signal(s, handler)
    sys.unraisablehook = lost


def one_line(err: str) -> str:
    assert err.startswith("error: ")
    assert err.endswith("\n")
    assert err.count("\n") == 1, err
    return err.removeprefix("error: ").strip()


@pytest.mark.timeout(60)  # what is not refused would be trained
@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"replay_capacity": 255}, ["learning_starts (256)", "replay_capacity (255)"]),
        ({"batch_size": 2000}, ["batch_size (2000)", "1600"]),
        ({"batch_size": 0}, ["batch_size", "at least 1, got 0"]),
        ({"stack": 40}, ["stack", "1 to 16", "got 40"]),
        ({"frame_skip": 0}, ["frame_skip", "got 0"]),
        ({"greedy_frame_skip": 3}, ["greedy_frame_skip", "frame_skip (4)", "got 3"]),
        ({"height": 200}, ["height", "8 to 96, got 200"]),
        ({"width": 1}, ["width", "got 1"]),
        ({"epsilon_start": -0.1}, ["epsilon_start", "0 to 1, got -0.1"]),
        ({"epsilon_start": "nan"}, ["epsilon_start", "nan"]),
        ({"n_step": 300}, ["replay of 1600 decisions is too small", "2416"]),
        ({"learning_rate": "inf"}, ["learning_rate", "inf"]),
        ({"metrics_port": 99999}, ["metrics cannot be served at 127.0.0.1:99999"]),
        ({"metrics_file": "."}, ["."]),
        ({"config": "none.toml"}, ["none.toml", "No such file"]),
        ({"keep_checkpoints": 0}, ["keep_checkpoints", "1 to 10000, got 0"]),
        ({"mirror_to": "ftp://host/runs"}, ["begins with one of s3://"]),
        ({"mirror_to": "s3://me:word@bucket/runs"}, ["credentials come from the environment"]),
        ({"mirror_to": "file:///none/at/all"}, ["file:///none/at/all: there is no such folder"]),
        ({"resume": "file:///none/DDQN/race"}, ["file:///none: there is no such folder"]),
        ({"hours": -1}, ["hours", "at least 0, got -1"]),
        ({"weights": "none.safetensors"}, ["none.safetensors", "No such file"]),
        ({"huber_delta": 0}, ["huber_delta", "above 0"]),
        ({"reward_scale": "nan"}, ["reward_scale"]),
        ({"reward_offset": "nan"}, ["reward_offset"]),
        ({"cars": 0}, ["cars", "got 0"]),
        ({"cars": 1000}, ["replay of", "too small"]),
        ({"cars_per_actor": 3}, ["cars_per_actor must divide cars (8), got 3"]),
        ({"workers": -1}, ["workers", "auto", "got -1"]),
        ({"workers": 10**3, "cars": 10**3, "replay_capacity": 10**7}, ["1000 processes", "GiB"]),
        ({"decisions": 0}, ["decisions", "got 0"]),
        ({"steps_per_tick": 201}, ["201", "200"]),  # the ring has 200 slots
        ({"validation_tracks": 10_001}, ["validation_tracks", "10001"]),
        ({"test_episodes": 10_001}, ["test_episodes", "10001"]),
        ({"actions": "hasty"}, ["brisk, stock", "'hasty'"]),
        ({"convolutions": (4, 30, 2)}, ["30x30 kernel"]),
        ({"convolutions": (4, 4, 0)}, ["convolutions", "1 to 1000000000, got 0"]),
        ({"dense": -3}, ["dense", "got -3"]),
        ({"dense": (10**6, 10**6)}, ["training a network of 1,000,", "GiB", "--dense"]),
        ({"dense": 10**400}, ["dense"]),
        ({"convolutions": (10**6, 1, 1, 1, 1, 1)}, ["batches of 16", "GiB", "--convolutions"]),
        ({"preset": "slow"}, ["preset", "default, long, server, smoke", "'slow'"]),
        ({"device": "cuda"}, ["device", "'cuda'"]),
        ({"device": "gpu:99"}, ["gpu:99"]),
        ({"replay_capacity": 10**12}, ["replay", "GiB"]),  # more than any memory
        ({"track": "mlflow"}, ["track", "wandb or trackio", "'mlflow'"]),
        ({"resume": "auto"}, ["--resume auto", "--name"]),
    ],
    ids=lambda value: str(value)[:60],
)
def test_settings_out_of_range(
    error_of: ErrorOf, options: dict[str, Value], named: list[str]
) -> None:
    short: dict[str, Value] = {"decisions": 64}
    line = one_line(error_of("DDQN", *arguments(**short | options)))
    assert all(word in line for word in named), line


@pytest.mark.parametrize(
    "options",
    [
        ["--cars", "two"],
        ["--colour", "red"],
        ["--gamma"],
        ["--convolutions", "4", "4"],
        ["surplus"],
    ],
    ids=str,
)
def test_what_cannot_be_parsed(error_of: ErrorOf, options: list[str]) -> None:
    err = error_of("DDQN", *options)
    assert any(word in err for word in ("Unrecognized", "invalid", "argument", "Parsing"))


@pytest.mark.parametrize(
    "name", ["../escape", "a/b", "/absolute", "..", ".hidden", "a b", "x" * 101, "ä"]
)
def test_a_name_that_is_a_path(error_of: ErrorOf, name: str) -> None:
    assert repr(name) in one_line(error_of("DDQN", *arguments(decisions=64, name=name)))


def test_runs_below_a_file(error_of: ErrorOf, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    line = one_line(error_of("DQN", *arguments(decisions=64, runs=str(tmp_path / "file"))))
    assert str(tmp_path / "file") in line


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("wanted", ["latest", "-1", "nowhere", ".", "x" * 300])
def test_nothing_to_resume(error_of: ErrorOf, script: str, wanted: str) -> None:
    line = one_line(error_of(script, "--resume", wanted))
    assert "runs" in line if wanted in ("latest", "-1") else wanted in line


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The folder of a run that has driven and lost its checkpoints, made by the real script."""
    process = start("DDQN", *arguments(runs=str(tmp_path / "runs"), name="one", workers=0))
    folder = tmp_path / "runs" / "DDQN" / "one"
    log = folder / "episodes.csv"
    wait_until(process, lambda: log.exists() and log.read_text().count("\n") > 1)
    process.kill()
    process.communicate()
    shutil.rmtree(folder / "checkpoints")
    return folder


@pytest.mark.slow
def test_runs_that_cannot_be_resumed(error_of: ErrorOf, run: Path, tmp_path: Path) -> None:
    """One real run, and everything that is wrong with resuming it."""
    folder = str(run)
    line = one_line(error_of("DDQN", "--resume", folder))
    assert "no checkpoint" in line
    assert folder in line

    line = one_line(error_of("DDQN", "--resume", folder, "--gamma", "0.5", "--cars", "4"))
    assert "gamma was 0.98, now 0.5" in line
    assert "cars was 8, now 4" in line

    line = one_line(error_of("DQN", "--resume", folder))
    assert "DDQN.py" in line

    one_line(error_of("DDQN", *arguments(decisions=64, runs=str(tmp_path / "runs"), name="one")))

    config = run / "config.json"
    whole = config.read_bytes()
    for damaged in (b"", b"[]", b"[" * 10**5, whole[:-20], whole.replace(b'"gamma"', b'"gama"')):
        config.write_bytes(damaged)
        assert folder in one_line(error_of("DDQN", "--resume", folder))
    for good, bad in (
        (b'"gamma": 0.98', b'"gamma": "much"'),
        (b'"mirror": true', b'"mirror": null'),
        (b'"dense": [', b'"dense": [ true,'),
        (b'"runs": "', b'"runs": 3, "preset": "'),
    ):
        assert whole.count(good) == 1
        config.write_bytes(whole.replace(good, bad))
        name = bad.decode().split('"')[1]
        assert f": {name} must be " in one_line(error_of("DDQN", "--resume", folder))
    config.write_bytes(whole)

    origin = run / "origin.json"
    for damaged in (b"", b"[]", origin.read_bytes()[:-20]):
        origin.write_bytes(damaged)
        assert "origin.json" in one_line(error_of("DDQN", "--resume", folder))
    origin.unlink()
    assert "origin.json" in one_line(error_of("DDQN", "--resume", folder))


@pytest.mark.slow
def test_the_real_command_line(tmp_path: Path) -> None:
    """The same once more from the outside, where a traceback would show."""
    process = start("DDQN", *arguments(runs=str(tmp_path / "runs"), cars=0))
    out, err = process.communicate(timeout=200)
    assert process.returncode == 2
    assert one_line(err) == "cars must be 1 to 4096, got 0"
    assert out == ""
    assert files_below(tmp_path) == []
