"""Labels, the trash, and tables of several runs."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from evaluation.scores import read_episodes
from reports.export import tables
from reports.run_list import rows_of
from tests.support.command_line import ROOT, files_below
from tests.support.corridor import StopAt, ddqn, dqn, drive_there
from training.runs.run_folder import RunFolder
from training.runs.store import Runs
from training.runs.verify import verify_run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two finished runs, a stopped one, and the newest."""
    runs = tmp_path_factory.mktemp("trained")
    for name, decisions in (("best", 960), ("worse", 240)):
        drive_there(ddqn(runs, name=name, decisions=decisions, validate_every=240))
    stop = StopAt(144)
    drive_there(ddqn(runs, name="stopped"), sinks=[stop], stop=stop)
    drive_there(dqn(runs, name="only", decisions=240))
    drive_there(ddqn(runs, name="newest", decisions=48))
    return runs


@pytest.fixture
def runs(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "runs"))


@pytest.fixture
def locked(runs: Path) -> Iterator[RunFolder]:
    run = RunFolder(runs / "DDQN" / "worse")
    run.lock()
    yield run
    run.unlock()


def command(*words: object) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "runs.py", *map(str, words)]
    return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=120)


def test_only_what_nobody_needs_goes_to_the_trash(runs: Path) -> None:
    before = files_below(runs)
    output = command("clean", "--runs", runs)
    assert files_below(runs) == before, "without --yes nothing is done"
    assert "nothing was changed" in output.stdout
    output = command("clean", "--runs", runs, "--yes")
    assert output.returncode == 0, output.stderr
    for name, why in (
        ("DDQN/best", "the best of DDQN"),
        ("DDQN/stopped", "stopped"),
        ("DQN/only", "the best of DQN"),
        ("DDQN/newest", "the newest"),
    ):
        assert f"{runs / name}: kept, {why}" in output.stdout
        assert (runs / name / "checkpoints").is_dir()
    worse = runs / "DDQN" / "worse"
    assert not (worse / "checkpoints").exists()
    assert {"best.safetensors", "validation.csv", "episodes.csv"} <= {
        p.name for p in worse.iterdir()
    }
    [gone] = (runs / ".trash").iterdir()
    gone.rename(worse / "checkpoints")  # taken back
    assert verify_run(RunFolder(worse)) == []
    assert drive_there(ddqn(runs, decisions=288, validate_every=240), run=worse).finished


def test_the_trash_is_emptied_when_it_is_said_twice(runs: Path) -> None:
    command("clean", "--runs", runs, "--yes", "worse")
    assert "would be deleted" in command("clean", "--runs", runs, "--purge").stdout
    assert len(list((runs / ".trash").iterdir())) == 1
    assert "deleted" in command("clean", "--runs", runs, "--purge", "--yes").stdout
    assert not list((runs / ".trash").iterdir())
    assert "the trash is empty" in command("clean", "--runs", runs, "--purge").stdout


def test_a_living_run_is_left_alone(runs: Path, locked: RunFolder) -> None:
    output = command("clean", "--runs", runs, "--yes", "worse")
    assert f"{locked.path}: kept, running" in output.stdout
    assert (locked.path / "checkpoints").is_dir()


def test_labels_are_listed(runs: Path) -> None:
    assert command("label", "worse", "with a wider network", "--runs", runs).returncode == 0
    labels = {row.run: row.label for row in rows_of(Runs(runs).all())}
    assert labels["DDQN/worse"] == "with a wider network"
    assert set(labels.values()) == {"", "with a wider network"}
    assert "with a wider network" in command("list", "--runs", runs).stdout
    assert command("label", "worse", "", "--runs", runs).returncode == 0
    assert not (runs / "DDQN" / "worse" / "label.txt").exists()
    for bad in ("two\nlines", "x" * 101):
        done = command("label", "worse", bad, "--runs", runs)
        assert (done.returncode, done.stdout) == (2, "")
        assert "a label is one line" in done.stderr


def test_a_run_that_began_with_weights_says_so(runs: Path) -> None:
    weights = runs / "DDQN" / "best" / "best.safetensors"
    drive_there(ddqn(runs, name="tuned", decisions=48, weights=str(weights)))
    assert rows_of(Runs(runs).all())[-1].weights == str(weights)
    assert "(began with best.safetensors)" in command("list", "--runs", runs).stdout


def test_tables_have_what_the_runs_wrote(runs: Path, tmp_path: Path) -> None:
    out = tmp_path / "tables"
    done = command("export", "DDQN/*", "--runs", runs, "--out", out)
    assert done.returncode == 0, done.stderr
    assert {p.name for p in out.iterdir()} == {"runs.csv", "validations.csv", "episodes.csv"}
    with (out / "runs.csv").open(newline="") as file:
        rows = {row["run"]: row for row in csv.DictReader(file)}
    assert list(rows) == ["DDQN/best", "DDQN/worse", "DDQN/stopped", "DDQN/newest"]
    assert rows["DDQN/worse"]["decisions"] == "240"
    assert json.loads(rows["DDQN/best"]["convolutions"]) == [[8, 3, 1]]
    with (out / "episodes.csv").open(newline="") as file:
        episodes = [row for row in csv.DictReader(file) if row["run"] == "DDQN/best"]
    written = (runs / "DDQN" / "best" / "episodes.csv").read_text().splitlines()
    assert len(episodes) == len(written) - 1 > 10
    assert ",".join(list(episodes[-1].values())[1:]) == written[-1]
    again = command("export", "DDQN/*", "--runs", runs, "--out", out)
    assert (again.returncode, "exists already" in again.stderr) == (2, True)


def test_json_is_the_same_as_the_function_gives(runs: Path, tmp_path: Path) -> None:
    command("export", "-1", "--runs", runs, "--out", tmp_path / "a", "--json")
    found = json.loads((tmp_path / "a" / "runs.json").read_text())
    assert found == json.loads(json.dumps(tables([Runs(runs).resolve("-1")]), default=str))
    assert found["runs"][0]["run"] == "DDQN/newest"


def test_damaged_tables_are_refused(runs: Path, tmp_path: Path) -> None:
    with (runs / "DDQN" / "worse" / "episodes.csv").open("a") as file:
        file.write("1,2\n")
    done = command("export", "*", "--runs", runs, "--out", tmp_path / "a")
    assert (done.returncode, done.stdout) == (2, "")
    assert "episodes.csv: rows of different lengths" in done.stderr
    assert not (tmp_path / "a").exists()
    with pytest.raises(ValueError, match="columns must be"):
        read_episodes(runs / "DDQN" / "worse" / "episodes.csv")
