"""`train()` as a program of somebody else's calls it: no command line, no signals, no output, no exit."""

from __future__ import annotations

import csv
import json
import math
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

import DDQN
import DQN
from agents.backend import DeviceError
from system.memory import NotEnoughMemoryError
from system.processes import STOP_SIGNALS, children_of
from tests.support.corridor import MessageRecorder, StopAt, ddqn, dqn, drive_there, make_corridor
from tests.support.outcome import outcome
from training import train
from training.memory import worker_count
from training.runs.checkpoint import CheckpointError
from training.runs.names import RunError
from training.runs.run_folder import RunFolder
from training.runs.store import Runs
from training.settings import changed

pytestmark = pytest.mark.slow

SHORT: dict[str, Any] = {"decisions": 480, "validate_every": 240, "checkpoint_every": 240}


def test_a_call_is_a_run(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The agent is the one of the settings; nothing is printed, heard or read but what was given."""
    monkeypatch.setattr(sys, "argv", ["somebody.py", "--decisions", "no number"])
    monkeypatch.chdir(tmp_path)
    hooks = [signal.getsignal(s) for s in STOP_SIGNALS], sys.excepthook, sys.unraisablehook
    done = train(dqn(tmp_path / "runs", **SHORT), make_world=make_corridor)
    assert (done.finished, done.decisions, done.test) == (True, 480, [])
    assert done.run.parent == tmp_path / "runs" / "DQN"
    with (done.run / "validation.csv").open() as file:
        means = [float(row["mean"]) for row in csv.DictReader(file)]
    assert len(means) == 2 and done.best_validation == max(means)
    assert 0 < done.minutes < 30
    assert tuple(capfd.readouterr()) == ("", "")
    assert hooks == (
        [signal.getsignal(s) for s in STOP_SIGNALS],
        sys.excepthook,
        sys.unraisablehook,
    )
    assert [p.name for p in tmp_path.iterdir()] == ["runs"]
    assert not children_of(os.getpid())


def test_stopped_it_can_be_gone_on_with_in_the_same_process(tmp_path: Path) -> None:
    """Twice, and the run says so."""
    settings, messages = ddqn(tmp_path, **SHORT), MessageRecorder()
    stop = StopAt(144)
    first = drive_there(settings, sinks=[stop, messages], stop=stop)
    assert (first.finished, first.decisions, first.best_validation) == (False, 144, -math.inf)
    assert messages.lines[-1].startswith("stopped; go on with: ")
    assert messages.lines[-1].endswith(f"DDQN.py --resume {first.run}")
    stop = StopAt(288)
    second = drive_there(settings, run=first.run, sinks=[stop], stop=stop)
    assert (second.finished, second.decisions) == (False, 288)
    third = drive_there(settings, run=first.run)
    assert (third.finished, third.decisions) == (True, 480)
    assert "resumed" in RunFolder(first.run).origin()
    whole = drive_there(settings)
    assert whole.run != first.run
    assert outcome(whole.run) == outcome(first.run)
    assert [run.path for run in Runs(tmp_path).all()] == [first.run, whole.run]


def test_another_device_that_learns_is_told(tmp_path: Path) -> None:
    """As when CUDA_VISIBLE_DEVICES hides the GPU that a run was started on."""
    settings, messages = ddqn(tmp_path, **SHORT), MessageRecorder()
    stop = StopAt(144)
    run = drive_there(settings, sinks=[stop, messages], stop=stop).run
    drive_there(settings, run=run, sinks=[messages])
    assert not any("was started" in line for line in messages.lines)
    origin = json.loads((run / "origin.json").read_text())
    assert origin["device"] == "CPU"
    (run / "origin.json").write_text(json.dumps(origin | {"device": "NVIDIA H200"}))
    drive_there(settings, run=run, sinks=[messages])
    told = [line for line in messages.lines if "was started" in line]
    assert len(told) == 1 and told[0].endswith(": device was NVIDIA H200, now CPU")


def test_a_finished_run_is_gone_on_with_for_longer(tmp_path: Path) -> None:
    done = drive_there(ddqn(tmp_path, **SHORT))
    longer = drive_there(ddqn(tmp_path, **SHORT | {"decisions": 720}), run=done.run)
    assert (longer.finished, longer.decisions) == (True, 720)
    assert json.loads((done.run / "config.json").read_text())["decisions"] == 720


def test_a_refused_resume_leaves_the_run_as_it_was(tmp_path: Path) -> None:
    done = drive_there(ddqn(tmp_path, **SHORT))
    for path in (done.run / "checkpoints").glob("*/arrays.safetensors"):
        path.write_bytes(b"damaged")
    files = [done.run / name for name in ("status.json", "config.json", "origin.json")]
    before = [path.read_bytes() for path in files]
    with pytest.raises(CheckpointError, match="arrays"):
        drive_there(ddqn(tmp_path, **SHORT | {"decisions": 720}), run=done.run)
    assert [path.read_bytes() for path in files] == before


@pytest.mark.parametrize(
    ("settings", "error", "named"),
    [
        ({"gamma": 2}, ValueError, "gamma must be 0 to 1, got 2"),
        ({"cars": 10, "cars_per_actor": 4}, ValueError, "cars_per_actor must divide cars"),
        ({"device": "cuda"}, DeviceError, "device must be"),
        ({"device": "gpu:99"}, DeviceError, "gpu:99 was asked for"),
        ({"dense": (10**6, 10**6)}, NotEnoughMemoryError, "a network of"),
        ({"steps_per_tick": 201}, ValueError, "is more than the replay holds per car"),
        ({"name": "../x"}, RunError, "a run's name is"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(
    tmp_path: Path, settings: dict[str, Any], error: type[Exception], named: str
) -> None:
    with pytest.raises(error, match=named):
        drive_there(ddqn(tmp_path / "runs", **settings))
    assert not list(tmp_path.iterdir())


def test_another_agent_with_the_same_settings(tmp_path: Path) -> None:
    """Its own name is the folder's, and the settings' own agent stays who it was."""

    class Mine(DDQN.DDQN):
        pass

    done = drive_there(ddqn(tmp_path, decisions=48), Mine)
    assert done.run.parent.name == "Mine"
    assert RunFolder(done.run).agent == "Mine"
    assert drive_there(ddqn(tmp_path, decisions=48)).run.parent.name == "DDQN"


def test_who_drives_beside_the_learner() -> None:
    settings = changed(DQN.Settings(), cars=8, cars_per_actor=4)
    assert [worker_count(changed(settings, workers=n)) for n in (0, 1, 2, 99)] == [0, 1, 2, 2]
    assert 0 <= worker_count(settings) <= 2
