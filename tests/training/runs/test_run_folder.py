"""A run's folder: whole or not there, one trainer at a time, and what it remembers of where it began."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import DDQN
from tests.support.command_line import ROOT
from training.runs.compat import RENAMED
from training.runs.names import RunError
from training.runs.run_folder import RunFolder
from training.runs.store import Runs
from training.settings import changed, flat, from_json

CONFIG = flat(DDQN.Settings())


def begun_with(folder: Path, **origin: Any) -> RunFolder:
    """A run that says something else of its beginning."""
    run = RunFolder.create(folder, "DDQN", "one", CONFIG)
    path = run.path / "origin.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | origin))
    return run


def test_nothing_changed(tmp_path: Path) -> None:
    assert begun_with(tmp_path).other_surroundings("CPU") == []


def test_every_change_is_named(tmp_path: Path) -> None:
    run = begun_with(tmp_path, processor="a slide rule", versions={"keras": "2.15.0"})
    told = dict(line.split(" was ") for line in run.other_surroundings("CPU"))
    assert told["processor"].startswith("a slide rule, now ")
    assert told["keras"].startswith("2.15.0, now 3.")


def test_variables_that_change_the_last_bits_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    run = begun_with(tmp_path)
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "1")
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")  # says more, computes the same
    assert run.other_surroundings("CPU") == ["TF_ENABLE_ONEDNN_OPTS was 0, now 1"]


@pytest.mark.parametrize("versions", [[], None, "keras"])
def test_what_no_run_writes_is_refused(tmp_path: Path, versions: object) -> None:
    with pytest.raises(RunError, match=r"origin\.json: not a file that a run writes"):
        begun_with(tmp_path, versions=versions).other_surroundings("CPU")


def test_one_trainer_at_a_time(tmp_path: Path) -> None:
    run = begun_with(tmp_path)
    other = RunFolder(run.path)
    assert other.is_locked()
    with pytest.raises(RunError, match="is being trained by another process"):
        other.lock()
    run.unlock()
    assert not other.is_locked()
    other.lock()
    assert run.is_locked()


def test_what_it_was_told_anew_holds_the_next_time(tmp_path: Path) -> None:
    """A run that goes farther than it was to is the same run, and goes as far when it is stopped and resumed again."""
    run = begun_with(tmp_path)
    identity = run.identity()
    farther = changed(DDQN.Settings(), decisions=900_000, name="x")
    run.go_on_with(flat(farther) | {"resume": "-1"})
    assert from_json(DDQN.Settings(), run.config()) == changed(DDQN.Settings(), decisions=900_000)
    assert run.identity() == identity
    other = run.config() | {"seed": 7}
    (run.path / "config.json").write_text(json.dumps(other, indent=1) + "\n")
    assert run.identity() != identity


def test_other_settings_are_refused_by_name(tmp_path: Path) -> None:
    run = begun_with(tmp_path)
    run.check_settings(flat(changed(DDQN.Settings(), decisions=7, workers=3)))
    with pytest.raises(
        RunError, match=r"has other settings: dense was .* now .*; gamma was 0\.98, "
    ):
        run.check_settings(flat(changed(DDQN.Settings(), gamma=0.5, dense=(16,))))


def test_a_run_of_an_earlier_version_by_todays_names(tmp_path: Path) -> None:
    """Its identity is of what is written there, so that its checkpoints are still its own."""
    ours = flat(DDQN.Settings())
    theirs = {old: ours[new] for old, new in RENAMED.items()}
    theirs |= {k: v for k, v in ours.items() if k not in (*RENAMED.values(), "cars_per_actor")}
    theirs |= {"actors": 2, "cars": 8}
    run = begun_with(tmp_path)
    (run.path / "config.json").write_text(json.dumps(theirs, default=str))
    config = run.config()
    assert (config["cars"], config["cars_per_actor"]) == (16, 8)
    read = from_json(DDQN.Settings(), config)
    assert read == changed(DDQN.Settings(), cars=16, cars_per_actor=8)
    identity = run.identity()
    run.go_on_with(flat(read))
    assert run.identity() == identity


def test_finished_is_who_was_tested_with_the_weights_that_are_there(tmp_path: Path) -> None:
    run = begun_with(tmp_path)
    (run.path / "best.safetensors").write_bytes(b"weights")
    assert not run.is_finished()
    run.finish(b"weights")
    assert run.is_finished()
    (run.path / "best.safetensors").write_bytes(b"better ones")
    assert not run.is_finished()


CREATE = """
import sys, time
from pathlib import Path
from training.runs.run_folder import RunFolder
while not Path(sys.argv[1], "go").exists():
    time.sleep(0.001)
for _ in range(5):
    print(RunFolder.create(Path(sys.argv[1]), "DDQN", "", {"seed": 1}).path)
"""


def test_names_cannot_collide(tmp_path: Path) -> None:
    """Six processes make five runs each within a second or two."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", CREATE, str(tmp_path)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(6)
    ]
    (tmp_path / "go").touch()
    ended = [process.communicate(timeout=200) for process in processes]
    assert {err for _, err in ended} == {""}
    paths = [Path(line) for out, _ in ended for line in out.splitlines()]
    assert len(set(paths)) == 30
    assert all(path.name.endswith("-seed1") or "-seed1-" in path.name for path in paths)
    assert {run.path for run in Runs(tmp_path).all()} == set(paths)
    assert not list(tmp_path.glob("DDQN/.*"))


def test_a_name_that_is_taken_is_refused(tmp_path: Path) -> None:
    run = begun_with(tmp_path)
    before = run.config()
    with pytest.raises(RunError, match=f"{run.path} exists: choose another --name"):
        RunFolder.create(tmp_path, "DDQN", "one", {"seed": 2})
    assert run.config() == before
    (tmp_path / "DDQN" / "empty").mkdir()
    assert RunFolder.create(tmp_path, "DDQN", "empty", CONFIG).is_there()


@pytest.mark.parametrize("runs", ["x" * 256, "/".join(["y" * 200] * 25)])
def test_a_path_that_is_too_long_is_bad_input(tmp_path: Path, runs: str) -> None:
    with pytest.raises(RunError, match=r"cannot use .*: File name too long; choose another --runs"):
        RunFolder.create(tmp_path / runs, "DDQN", "one", CONFIG)
    assert not list(tmp_path.iterdir())


KILLED = """
import os, signal, sys
from pathlib import Path
import training.runs.run_folder
from training.runs.run_folder import RunFolder
written = training.runs.run_folder.write_whole
def write(path, data):
    if path.name == sys.argv[2]:
        os.kill(os.getpid(), int(sys.argv[3]))
    written(path, data)
training.runs.run_folder.write_whole = write
RunFolder.create(Path(sys.argv[1]), "DDQN", "one", {"seed": 1})
"""


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGINT])
@pytest.mark.parametrize("file", ["origin.json", "config.json"])
def test_a_creation_that_was_killed_blocks_nothing(
    tmp_path: Path, file: str, signum: signal.Signals
) -> None:
    """The name is still free, and what was half made is no run."""
    command = [sys.executable, "-c", KILLED, str(tmp_path), file, str(int(signum))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True)
    assert done.returncode == -signum
    assert Runs(tmp_path).all() == []
    assert not (tmp_path / "DDQN" / "one").exists()
    if signum != signal.SIGKILL:
        assert os.listdir(tmp_path / "DDQN") == []
    assert begun_with(tmp_path).is_there()
    assert [run.path.name for run in Runs(tmp_path).all()] == ["one"]
