"""Trackers: every point once and in order over kills, and nothing that they do slows a run or stops it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from racing.episode import Episode
from tests.training.tracking.test_console import ROW
from training.tracking import tracker, tracker_process
from training.tracking.points import Points
from training.tracking.run_log import Progress
from training.tracking.tracker import TrackerLog

PACKAGE = "tests.support.recording_tracker"
EPISODE = Episode(7, 12.5, 100, 30, 300, 1, "lap")
CONFIG = {"checkpoint_every": 100, "seed": 3}
Calls = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Calls:
    """What the tracker was told so far."""
    file = tmp_path / "calls"
    monkeypatch.setenv("TRACKER_FILE", str(file))
    return lambda: [json.loads(x) for x in file.read_text().splitlines()] if file.exists() else []


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine that is busy with other things, a process may take long to begin."""
    monkeypatch.setattr(tracker, "CLOSING_SECONDS", 100.0)
    monkeypatch.setattr(tracker, "QUIET_SECONDS", 90.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of a run."""
    path = tmp_path / "DDQN" / "one"
    path.mkdir(parents=True)
    (path / "best.safetensors").write_bytes(Path("models/dqn.safetensors").read_bytes())
    return path


def behave(monkeypatch: pytest.MonkeyPatch, manners: str, seconds: float = 4.0) -> None:
    monkeypatch.setenv("TRACKER_MANNERS", manners)
    monkeypatch.setattr(tracker, "CLOSING_SECONDS", seconds)
    monkeypatch.setattr(tracker, "QUIET_SECONDS", seconds / 4)


def steps(calls: Calls) -> list[int]:
    return [c["step"] for c in calls() if c["call"] == "log"]


def wait_for(what: Callable[[], object], seconds: float = 200) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_points_are_means_over_spans_that_checkpoints_do_not_move() -> None:
    def fed(save_at: int) -> list[tuple[int, dict[str, float]]]:
        points, rows = Points(10), []
        for decisions in range(4, 44, 4):
            points.add(decisions, {"a": decisions, "b": -decisions} if decisions > 8 else {"a": 1})
            if decisions == 24:
                points.put(24, {"c": 0.5})
            if decisions == 28:  # where the span will turn out to end
                points.put(28, {"d": 1})
            if decisions == save_at:
                rows += points.take()
                state = json.loads(json.dumps(points.get_state()))
                points = Points(10)
                points.set_state(state)
        points.close_span()
        return rows + points.take()

    whole = fed(-1)
    assert whole == [
        (8, {"a": 1.0}),
        (16, {"a": 14.0, "b": -14.0}),
        (24, {"c": 0.5}),
        (28, {"d": 1, "a": 24.0, "b": -24.0}),
        (36, {"a": 34.0, "b": -34.0}),
        (40, {"a": 40.0, "b": -40.0}),
    ]
    assert all(fed(save_at) == whole for save_at in range(4, 44, 4))


def test_a_run_by_hand(folder: Path, calls: Calls, capfd: pytest.CaptureFixture[str]) -> None:
    """Nothing before a checkpoint; the film with its validation; the card at the end; what it prints is not seen."""
    messages: list[str] = []
    log = TrackerLog(PACKAGE, folder, CONFIG, messages.append)
    log.checkpoint(0, 0.1)
    for decisions in (48, 96, 104):
        log.scalars(decisions, {"learning/loss": decisions})
    log.episode(104, EPISODE, 1.25, 0.5)
    log.progress(Progress("training", 104, 208, 1.0))
    wait_for(calls)
    assert steps(calls) == []
    log.checkpoint(104, 0.1)
    wait_for(lambda: len(steps(calls)) == 2)
    log.validation(ROW | {"decisions": 104}, -1.0)
    log.film(104, "driving/film", np.zeros((2, 8, 8), np.uint8))
    log.scalars(208, {"learning/loss": 7})
    log.checkpoint(208, 0.1)
    log.test(208, [EPISODE])
    log.finished()
    log.close()
    log.close()
    begun, *points, card, finish = calls()
    assert begun["call"] == "init" and begun["config"] == CONFIG and begun["resume"] == "allow"
    assert begun["name"] == "DDQN-one-" + (folder / "tracking" / "id").read_text()
    assert [(p["step"], p["values"].get("learning/loss")) for p in points] == [
        *((48, 48), (96, 96), (104, 104), (208, 7))
    ]
    third, last = points[2]["values"], points[3]["values"]
    assert third["training/score"] == 12.5 and third["training/laps"] == 1
    assert third["driving/score"] == ROW["mean"]
    assert third["driving/film"][0] == "gif" and third["driving/film"][1] > 50
    assert last["driving/test_score"] == 12.5
    assert (card["call"], card["type"], card["content"]["agent"]) == (
        *("log_artifact", "model-card", "DQN"),
    )
    assert finish["call"] == "finish"
    assert messages == [] and "talk" not in "".join(capfd.readouterr())
    assert not Path(f"/proc/{begun['pid']}").exists()


def test_a_run_that_was_killed_goes_on_where_its_last_checkpoint_was(
    folder: Path, calls: Calls
) -> None:
    """The trainer is gone between two checkpoints: nothing is handed on twice, and nothing is missing."""
    first = TrackerLog(PACKAGE, folder, CONFIG, pytest.fail)
    first.checkpoint(0, 0.1)
    first.scalars(50, {"x": 1})
    first.scalars(100, {"x": 2})
    saved = json.loads(json.dumps(first.get_state()))
    first.checkpoint(100, 0.1)  # arrives, although the checkpoint says that it has not
    first.scalars(150, {"x": 3})  # is never handed on
    wait_for(lambda: steps(calls) == [50])
    os.kill(calls()[0]["pid"], signal.SIGKILL)

    second = TrackerLog(PACKAGE, folder, CONFIG, pytest.fail)
    second.set_state(saved)
    second.scalars(150, {"x": 3})
    second.scalars(200, {"x": 4})
    second.checkpoint(200, 0.1)
    second.test(200, [EPISODE])
    second.finished()
    second.close()
    points = [c for c in calls() if c["call"] == "log"]
    assert [(p["step"], p["values"]["x"]) for p in points] == [
        (50, 1),
        (100, 2),
        (150, 3),
        (200, 4),
    ]
    assert len({c["name"] for c in calls() if c["call"] == "init"}) == 1
    first._pipe = None  # nobody is there


@pytest.mark.parametrize("call", ["init", "log", "finish"])
def test_one_that_hangs_is_killed(
    folder: Path, calls: Calls, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """No call of ours waits, and the end waits as long as it is told to."""
    behave(monkeypatch, f"hang:{call}")
    monkeypatch.setattr(tracker, "MOST_WAITING", 8)
    messages: list[str] = []
    log = TrackerLog(PACKAGE, folder, CONFIG, messages.append)
    log.checkpoint(0, 0.1)
    process = log._process
    began = time.monotonic()
    film = np.zeros((100, 48, 48), np.uint8)  # more than a pipe holds
    for decisions in range(0, 5000, 50):
        log.scalars(decisions, {"x": 1.0})
        log.film(decisions, "driving/film", film)
        log.checkpoint(decisions, 0.1)
    assert time.monotonic() - began < 60  # it hangs for days
    waiting = time.monotonic()
    log.close()
    assert 1 < time.monotonic() - waiting < 60
    assert not process.is_alive()
    assert any("did not end" in line for line in messages)
    if call != "finish":
        assert sum("too slow" in line for line in messages) == 1
    assert len(messages) <= 3


def test_one_that_is_slow_gets_what_it_can_take(
    folder: Path, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    behave(monkeypatch, "slow")
    messages: list[str] = []
    log = TrackerLog(PACKAGE, folder, CONFIG, messages.append)
    for decisions in range(0, 100_000, 50):
        log.scalars(decisions, {"x": 1.0})
        log.checkpoint(decisions, 0.1)
    log.close()
    assert (
        messages[0] == f"{PACKAGE} is too slow: points are left out; training continues without it"
    )
    assert steps(calls) == sorted(set(steps(calls)))


@pytest.mark.parametrize("call", ["init", "log", "log_artifact", "finish"])
def test_one_that_fails_says_one_line_without_secrets(
    folder: Path, calls: Calls, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    monkeypatch.setenv("TRACKER_MANNERS", f"fail:{call}")
    monkeypatch.setenv("TRACKER_API_KEY", "0123456789abcdef")
    messages: list[str] = []
    log = TrackerLog(PACKAGE, folder, CONFIG, messages.append)
    for decisions in (0, 50, 100, 150):
        log.scalars(decisions, {"x": 1.0})
        log.checkpoint(decisions, 0.1)
    log.test(150, [EPISODE])
    log.finished()
    log.close()
    assert messages == [
        f"{PACKAGE} failed: ConnectionError: no way to {call} with ***; training continues without it"
    ]
    for path in folder.rglob("*"):
        assert not path.is_file() or b"0123456789abcdef" not in path.read_bytes()


def test_a_process_that_dies_stops_nothing(folder: Path, calls: Calls) -> None:
    messages: list[str] = []
    log = TrackerLog(PACKAGE, folder, CONFIG, messages.append)
    log.checkpoint(0, 0.1)
    wait_for(calls)
    log._process.kill()
    log._process.join()
    for decisions in (50, 100, 150):
        log.scalars(decisions, {"x": 1.0})
        log.checkpoint(decisions, 0.1)
        log.progress(Progress("training", decisions, 150, 1.0))
    log.close()
    assert messages == [
        f"{PACKAGE} has ended: killed by SIGKILL: out of memory?; training continues without it"
    ]


@pytest.mark.slow
def test_it_ends_after_its_trainer(tmp_path: Path, folder: Path, calls: Calls) -> None:
    """Also while it hangs, some seconds later."""
    program = f"""
import os, sys, time
from pathlib import Path
from training.tracking import tracker
if __name__ == "__main__":
    log = tracker.TrackerLog({PACKAGE!r}, Path({str(folder)!r}), {CONFIG!r}, print)
    log.checkpoint(0, 0.1)
    while not Path(os.environ["TRACKER_FILE"]).exists():
        time.sleep(0.05)
    os.kill(os.getpid(), 9)
"""
    script = tmp_path / "program.py"
    script.write_text(program)
    subprocess.run(
        [sys.executable, str(script)],
        env=os.environ | {"PYTHONPATH": os.getcwd(), "TRACKER_MANNERS": "hang:finish"},
    )
    pid = calls()[0]["pid"]
    limit = tracker_process.SECONDS_AFTER_TRAINER + 20
    wait_for(lambda: not Path(f"/proc/{pid}").exists(), limit)
