"""Runs with a tracker: they learn the same, and its curves are those of the run's own files, really offline, too."""

from __future__ import annotations

import csv
import importlib
import json
import os
import sqlite3
import struct
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import training.settings
from tests.support.command_line import ROOT
from tests.support.corridor import StopAt, ddqn, drive_there
from tests.support.outcome import outcome
from training.tracking import tracker

RECORDING = "tests.support.recording_tracker"
DECISIONS = 1440
Points = list[tuple[int, dict[str, Any]]]
pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine that is busy with other things, a tracker may take long to end."""
    monkeypatch.setattr(tracker, "CLOSING_SECONDS", 100.0)
    monkeypatch.setattr(tracker, "QUIET_SECONDS", 90.0)


def drive_with_stops(runs: Path, track: str, *stops: int) -> Path:
    """A run in the corridor that is stopped and resumed; its folder."""
    run = None
    for stop_at in (*stops, 10**9):
        stop = StopAt(stop_at)
        settings = ddqn(runs, track=track, decisions=DECISIONS)
        run = drive_there(settings, run=run, sinks=[stop], stop=stop).run
    assert run is not None
    return run


@pytest.mark.slow
def test_it_learns_the_same_and_tells_the_same_over_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training.settings, "TRACKERS", (RECORDING,))
    runs, told = [outcome(drive_with_stops(tmp_path / "none", ""))], []
    for i, stops in enumerate([(), (500, 1000)]):
        monkeypatch.setenv("TRACKER_FILE", str(tmp_path / f"{i}.jsonl"))
        runs.append(outcome(drive_with_stops(tmp_path / str(i), RECORDING, *stops)))
        lines = map(json.loads, (tmp_path / f"{i}.jsonl").read_text().splitlines())
        told.append([(x["step"], without_speed(x["values"])) for x in lines if "step" in x])
    assert runs[0] == runs[1] == runs[2]
    assert len(told[0]) > 15 and told[0] == told[1]


def without_speed(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if not name.startswith("speed/")}


def test_wandb_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb", reason="needs wandb")
    key = "0123456789abcdef0123456789abcdef01234567"
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_API_KEY", key)
    run = drive_with_stops(tmp_path, "wandb", 700)
    files = sorted((run / "tracking" / "wandb").glob("offline-run-*/*.wandb"))
    assert len(files) == 2, "a folder for every time that it was resumed"
    expect(run, [point for file in files for point in wandb_points(file)])
    assert len(list(run.glob("tracking/wandb/offline-run-*/files/media/videos/driving/*.gif"))) >= 1
    for path in run.rglob("*"):
        assert not path.is_file() or key.encode() not in path.read_bytes()


def test_trackio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("trackio", reason="needs trackio")
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    run = drive_with_stops(tmp_path, "trackio", 700)
    database = sqlite3.connect(tmp_path / "trackio" / "carracing-dqn.db")
    rows = database.execute("select step, metrics, run_name from metrics order by id").fetchall()
    identity = (run / "tracking" / "id").read_text()
    assert {name for *_, name in rows} == {f"DDQN-{run.name}-{identity}"}
    expect(run, [(step, json.loads(metrics)) for step, metrics, _ in rows])
    assert len(list((tmp_path / "trackio" / "media").rglob("*.gif"))) >= 1


def expect(run: Path, points: Points) -> None:
    """Steps that only increase, and the means of the run's own CSVs."""
    steps = [step for step, _ in points]
    assert steps == sorted(set(steps)) and steps[-1] == DECISIONS
    scores = defaultdict(list)
    for row in csv.DictReader((run / "episodes.csv").open()):
        scores[int(row["decisions"])].append(float(row["score"]))
    told = {step: values["training/score"] for step, values in points if "training/score" in values}
    assert told.keys() == scores.keys()  # a point spans a tick here
    assert all(np.isclose(told[step], np.mean(scores[step])) for step in scores)
    rows = list(csv.DictReader((run / "validation.csv").open()))
    validations = [(int(row["decisions"]), float(row["mean"])) for row in rows]
    driven = [(step, v["driving/score"]) for step, v in points if "driving/score" in v]
    assert driven == validations


def wandb_points(path: Path) -> Points:
    """The history in a file of wandb's: records of protobuf in the log format of LevelDB, behind seven bytes."""
    wandb_internal_pb2 = importlib.import_module("wandb.proto.wandb_internal_pb2")
    points = []
    for data in log_records(path.read_bytes()):
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        if record.WhichOneof("record_type") == "history":
            items = record.history.item  # a film has keys below its key
            values = {"/".join(i.nested_key) or i.key: json.loads(i.value_json) for i in items}
            points.append((record.history.step.num, values))
    return points


def log_records(data: bytes, at: int = 7) -> Iterator[bytes]:
    """Records that may be cut at the borders of blocks of 32 KiB; each part with a checksum, a size and a kind."""
    part = b""
    while at + 7 <= len(data):
        left = 2**15 - at % 2**15
        _, size, kind = struct.unpack("<IHB", data[at : at + 7])
        if left < 7 or kind == 0:
            at += left
            continue
        part += data[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):  # whole, or the last part
            yield part
            part = b""


@pytest.mark.parametrize("package", ["wandb", "trackio"])
def test_without_the_package(tmp_path: Path, package: str) -> None:
    """One line, exit code 2, before anything is written; Python is kept from finding it."""
    program = f"""
import importlib.util, runpy, sys
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *more: None if name == {package!r} else find(name, *more)
sys.argv = ["DDQN.py", "--preset", "smoke", "--runs", {str(tmp_path)!r}, "--track", {package!r}]
runpy.run_path("DDQN.py", run_name="__main__")
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    line = f"error: {package} is not installed; "
    assert done.stderr.startswith(line) and done.stderr.endswith(f"'.[{package}]'\n")
    assert done.stderr.count("\n") == 1 and os.listdir(tmp_path) == []
