"""A finished run handed on to a tracker: the points of its curves, once."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

import runs
import training.settings
from reports import track_export
from tests.support.corridor import ddqn, drive_there
from training.runs.run_folder import RunFolder

RECORDING = "tests.support.recording_tracker"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("runs")
    drive_there(ddqn(root, name="one"))
    return root


def test_all_points_come_once(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(track_export, "TRACKERS", (RECORDING,))
    monkeypatch.setattr(training.settings, "TRACKERS", (RECORDING,))
    told = tmp_path / "told.jsonl"
    monkeypatch.setenv("TRACKER_FILE", str(told))
    run = RunFolder(folder / "DDQN" / "one")
    runs.export(("one",), track=RECORDING, runs=folder)
    lines = [json.loads(line) for line in told.read_text().splitlines()]
    points = [(x["step"], x["values"]) for x in lines if "step" in x]
    assert [step for step, _ in points] == sorted({step for step, _ in points})
    assert f"{len(points)} points" in capsys.readouterr().out
    scores = [(s, v["driving/score"]) for s, v in points if "driving/score" in v]
    with (run.path / "validation.csv").open(newline="") as file:
        rows = [(int(row["decisions"]), float(row["mean"])) for row in csv.DictReader(file)]
    assert np.allclose(scores, rows)
    assert {"learning/loss", "training/score"} <= {name for _, v in points for name in v}
    runs.export(("one",), track=RECORDING, runs=folder)
    assert "0 points" in capsys.readouterr().out
    assert sum("step" in json.loads(line) for line in told.read_text().splitlines()) == len(points)


def test_bad_input(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = RunFolder(folder / "DDQN" / "one")
    for options, words in (
        ({}, "give a destination"),
        ({"track": "wandb", "out": tmp_path / "tables"}, "give a destination"),
        ({"track": "mlflow"}, "track must be wandb or trackio, got 'mlflow'"),
    ):
        with pytest.raises(SystemExit) as refused:
            runs.export(("one",), runs=folder, **options)
        assert refused.value.code == 2 and words in capsys.readouterr().err
    run.lock()
    try:
        with pytest.raises(ValueError, match="is being trained"):
            track_export.hand_on(RunFolder(run.path), "wandb")
    finally:
        run.unlock()
    assert not (tmp_path / "tables").exists()
