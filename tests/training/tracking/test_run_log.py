"""The log of a run: every sink gets every event, states come back, and the status is there for readers."""

from __future__ import annotations

import inspect
import json
import math
import os
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from racing.episode import Episode
from system.times import parse
from tests.support.corridor import StopAt, ddqn, drive_there
from tests.training.tracking.test_console import ROW
from training.tracking.csv_log import EpisodeLog, ValidationLog
from training.tracking.run_log import RECENT_EPISODES, Progress, RunLog, Sink
from training.tracking.status import StatusLog

EPISODE = Episode(7, 12.5, 100, 30, 300, 0, "out")
EVENTS: dict[str, tuple[Any, ...]] = {
    "begin": (Path("run"), 2),
    "describe": ({"seed": 1}, None),
    "scalars": (48, {"learning/loss": 0.5}),
    "episode": (48, EPISODE, 1.25, 0.5),
    "validation": (ROW, -math.inf),
    "film": (48, "driving/film", np.zeros((2, 8, 8), np.uint8)),
    "test": (96, [EPISODE]),
    "checkpoint": (96, 0.25),
    "mirrored": (True,),
    "progress": (Progress("training", 48, 96, 1.0),),
    "worker_lost": ("worker process 7 died or hung",),
    "notify": ("a line",),
    "finished": (),
    "close": (),
}


def recorder(received: list[tuple[str, str, tuple[Any, ...]]], who: str) -> Sink:
    """A sink that writes down every event."""

    def note(what: str) -> Any:
        return lambda self, *arguments: received.append((who, what, arguments))

    methods = {what: note(what) for what in EVENTS}
    made: Sink = type("Recorder", (Sink,), {**methods, "name": who})()
    return made


def test_every_sink_gets_every_event_in_order() -> None:
    """No event that a sink can get is missing here, or in the log."""
    events = {n for n, _ in inspect.getmembers(Sink, inspect.isfunction)} - {
        "get_state",
        "set_state",
    }
    assert events == set(EVENTS)
    received: list[tuple[str, str, tuple[Any, ...]]] = []
    with RunLog([recorder(received, "one"), recorder(received, "other")]) as log:
        for what, arguments in EVENTS.items():
            if what != "close":
                getattr(log, what)(*arguments)
    assert received == [(who, *event) for event in EVENTS.items() for who in ("one", "other")]


def test_a_sink_may_ignore_every_event() -> None:
    for what, arguments in EVENTS.items():
        assert getattr(Sink(), what)(*arguments) is None
    assert Sink().get_state() is None


def test_the_training_score_is_the_mean_of_the_last_episodes() -> None:
    log = RunLog([])
    assert math.isnan(log.training_score)
    for score in range(RECENT_EPISODES + 5):
        log.episode(48, Episode(7, float(score), 100, 30, 300, 0, "out"), 0.0, 0.5)
    assert log.training_score == np.mean(range(5, RECENT_EPISODES + 5))
    again = RunLog([])
    again.set_state(json.loads(json.dumps(log.get_state())))
    assert again.training_score == log.training_score


def test_states_come_back_by_name(tmp_path: Path) -> None:
    """What was written past a checkpoint is taken back; a sink that was not there then starts empty."""
    log = RunLog([EpisodeLog(tmp_path), ValidationLog(tmp_path), Sink()])
    log.episode(48, EPISODE, 1.23456, 0.5)
    log.validation(ROW, 0.0)
    state, files = log.get_state(), {p: p.read_text() for p in tmp_path.iterdir()}
    assert set(state) == {"recent", "episodes", "validations"}
    assert (tmp_path / "episodes.csv").read_text().split()[1] == (
        "48,7,12.5,100,30,300,0,out,1.2346,0.5"
    )
    log.episode(96, EPISODE, 1.0, 0.5)
    log.validation(ROW, 0.0)
    del state["validations"]
    (tmp_path / "validation.csv").unlink()
    again = RunLog([EpisodeLog(tmp_path), ValidationLog(tmp_path)])
    again.set_state(state)
    assert (tmp_path / "episodes.csv").read_text() == files[tmp_path / "episodes.csv"]
    assert (tmp_path / "validation.csv").read_text().count("\n") == 1


def status(folder: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((folder / "status.json").read_text())
    return read


def test_a_status_by_hand(tmp_path: Path) -> None:
    log = StatusLog(tmp_path, workers=3)
    log.progress(Progress("training", 48, 960, math.nan, 123.45, 6.78))
    found = status(tmp_path)
    assert (found["state"], found["pid"], found["host"]) == (
        *("running", os.getpid(), socket.gethostname()),
    )
    assert (found["workers"], found["worker_restarts"]) == (3, 0)
    assert (found["phase"], found["done"], found["total"]) == ("training", 48, 960)
    assert (found["decisions"], found["decisions_total"]) == (48, 960)
    assert found["training_score"] is None  # NaN is no JSON
    assert (found["decisions_per_second"], found["updates_per_second"]) == (123.5, 6.8)
    assert parse(found["time"]).tzinfo
    assert [point[1:] for point in found["history"]] == [[48, None]]

    log.worker_lost("worker process 7 died or hung")
    log.validation(ROW, 900.0)
    log.checkpoint(96, 0.1)
    log.test(960, [EPISODE, Episode(8, 20.0, 100, 30, 300, 0, "out")])
    log.progress(Progress("testing", 2, 5, 55.555))
    assert status(tmp_path) == found, "not more often than every few seconds"
    log.state("stopped")
    now = status(tmp_path)
    assert now["state"] == "stopped"
    assert (now["phase"], now["done"], now["total"]) == ("testing", 2, 5)
    assert now["decisions"] == 48  # of training
    assert (now["worker_restarts"], now["test_score"]) == (1, 16.25)
    assert (now["validation_score"], now["best_validation_score"]) == (ROW["mean"], 900.0)
    assert now["checkpoint_decisions"] == 96 and parse(now["checkpoint_time"])
    log.state("failed", "the disk is full")
    assert (status(tmp_path)["state"], status(tmp_path)["reason"]) == ("failed", "the disk is full")


def test_a_status_that_cannot_be_written_ends_nothing(tmp_path: Path) -> None:
    (tmp_path / "status.json").mkdir()
    StatusLog(tmp_path, 0).state("running")
    StatusLog(tmp_path / "gone", 0).state("running")


@pytest.mark.parametrize("state", ["stopped", "finished"])
def test_a_run_leaves_its_state(tmp_path: Path, state: str) -> None:
    stop = StopAt(96 if state == "stopped" else 10**9)
    done = drive_there(ddqn(tmp_path, decisions=144), sinks=[stop], stop=stop)
    found = status(done.run)
    assert found["state"] == state
    assert found["decisions"] == found["checkpoint_decisions"] == done.decisions
    assert done.decisions == (96 if state == "stopped" else 144)
    assert done.finished == (state == "finished")
