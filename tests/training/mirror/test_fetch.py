"""A run goes on from its mirror, where nothing else is left of it."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

import DDQN
from tests.support.corridor import ddqn, drive_there
from tests.support.outcome import checkpoints, outcome
from tests.support.s3 import bring, whole_checkpoints
from tests.training.mirror.conftest import SHORT
from training.command_line import Command, read_command_line
from training.mirror.errors import MirrorError
from training.mirror.fetch import run_to_go_on_with
from training.mirror.lease import Lease
from training.mirror.store import Store
from training.runs.manifest import CheckpointError
from training.runs.names import RunError
from training.runs.run_folder import RunFolder
from training.settings import changed

pytestmark = pytest.mark.slow


@pytest.fixture
def lost(stopped: Path, place: str) -> str:
    """A run that was stopped at 720 of 1440 decisions, of which only the mirror is left: its URL there."""
    bring(stopped, place)
    assert whole_checkpoints(place) == [480, 720]
    return f"{place}/DDQN/race"


def go_on(url: str, runs: Path) -> Path:
    """Download the run and train it to its end."""
    run = run_to_go_on_with(url, runs).fetch()
    mirror = url.removesuffix("/DDQN/race")
    return drive_there(ddqn(runs, mirror_to=mirror, **SHORT), run=run.path).run


def damage(place: str, path: str) -> None:
    """One byte of an object."""
    found = Store(place).read(path)
    assert found is not None
    middle = len(found.data) // 2
    flipped = bytes([found.data[middle] ^ 1])
    Store(place).write(path, found.data[:middle] + flipped + found.data[middle + 1 :])


def test_on_an_empty_machine_it_ends_as_if_nothing_had_been(
    lost: str, place: str, tmp_path: Path, undisturbed: Path
) -> None:
    run = go_on(lost, tmp_path / "new")
    assert run == tmp_path / "new/DDQN/race"
    assert outcome(run) == outcome(undisturbed)
    assert whole_checkpoints(place) == checkpoints(run) == [1200, 1440]
    assert [p.name for p in run.parent.iterdir()] == ["race"]


@pytest.mark.parametrize("place", ["file"], indirect=True)
@pytest.mark.parametrize("file", ["arrays.safetensors", "state.json", "manifest.json"])
def test_a_damaged_checkpoint_is_passed_over_and_replaced(
    lost: str, place: str, tmp_path: Path, file: str, capfd: pytest.CaptureFixture[str]
) -> None:
    damage(place, f"DDQN/race/checkpoints/000000720/{file}")
    run = run_to_go_on_with(lost, tmp_path / "new").fetch()
    assert checkpoints(run.path) == [480]
    err = capfd.readouterr().err
    assert "000000720" in err and "; trying the previous checkpoint\n" in err
    if file == "manifest.json":
        done = drive_there(ddqn(tmp_path / "new", mirror_to=place, **SHORT), run=run.path)
        assert whole_checkpoints(place) == checkpoints(done.run) == [1200, 1440]


@pytest.mark.parametrize("place", ["file"], indirect=True)
def test_if_none_is_whole_nothing_is_there(lost: str, place: str, tmp_path: Path) -> None:
    for step in (480, 720):
        damage(place, f"DDQN/race/checkpoints/{step:09d}/state.json")
    with pytest.raises(CheckpointError, match=r"000000720/state.json: damaged.*000000480/state"):
        run_to_go_on_with(lost, tmp_path / "new").fetch()
    assert list((tmp_path / "new" / "DDQN").iterdir()) == []


@pytest.mark.parametrize("place", ["file"], indirect=True)
def test_what_is_here_is_used_or_in_the_way_and_never_overwritten(
    lost: str, place: str, tmp_path: Path
) -> None:
    runs = tmp_path / "new"
    (runs / "DDQN/.fetch-race-killed").mkdir(parents=True)
    run = run_to_go_on_with(lost, runs).fetch()
    assert [p.name for p in (runs / "DDQN").iterdir()] == ["race"]
    again = run_to_go_on_with(lost, runs)
    assert again.path == run.path and again.fetch() is again
    shutil.rmtree(run.path / "checkpoints/000000720")
    (run.path / "checkpoints/000000240").mkdir()
    with pytest.raises(RunError, match=r"has 240 decisions, .* has 720: move the one here away"):
        run_to_go_on_with(lost, runs)
    other = tmp_path / "other"
    drive_there(ddqn(other, **SHORT | {"decisions": 240, "seed": 5}))
    with pytest.raises(RunError, match="is in the way"):
        run_to_go_on_with(lost, other)
    with pytest.raises(RunError, match=r"is not a run: there is no config\.json"):
        run_to_go_on_with(f"{place}/DDQN/none", runs)


def test_a_run_that_is_being_trained_is_not_fetched(lost: str, place: str, tmp_path: Path) -> None:
    Lease(Store(place), "DDQN/race", "somebody").take()
    with pytest.raises(MirrorError, match="is being trained by process"):
        run_to_go_on_with(lost, tmp_path / "new").fetch()
    assert not (tmp_path / "new").exists()


def read(monkeypatch: pytest.MonkeyPatch, *words: object) -> Command[DDQN.Settings]:
    monkeypatch.setattr(sys, "argv", ["DDQN.py", *map(str, words)])
    presets = DDQN.PRESETS | {"default": ddqn(Path("runs"))}
    return read_command_line("DDQN", presets)


@pytest.mark.parametrize("place", ["file"], indirect=True)
def test_the_command_line(
    lost: str, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By URL, or by `auto` where the mirror has it; nothing is downloaded before everything is understood."""
    runs = tmp_path / "new"
    command = read(monkeypatch, "--resume", lost, "--runs", runs)
    assert command.settings.mirror_to == place and command.settings.decisions == 1440
    assert command.run is not None and command.run.shown == lost
    assert f'mirror_to = "{place}"' in command.as_toml() and not runs.exists()
    with pytest.raises(RunError, match=f"{lost} has other settings: gamma was 0.9, now 0.5"):
        read(monkeypatch, "--resume", lost, "--runs", runs, "--gamma", "0.5")
    auto = ("--resume", "auto", "--mirror-to", place, "--runs", runs)
    command = read(monkeypatch, *auto, "--name", "race")
    assert command.run is not None and command.run.shown == lost
    assert read(monkeypatch, *auto, "--name", "fresh").run is None
    assert command.run.fetch().path == runs / "DDQN/race"
    command = read(monkeypatch, *auto, "--name", "race")
    assert command.run is not None and isinstance(command.run, RunFolder)
    assert command.run.path == runs / "DDQN/race"
    none = read(monkeypatch, "--resume", lost, "--runs", runs, "--mirror-to", "")
    assert none.settings == changed(command.settings, resume=lost, mirror_to="")
