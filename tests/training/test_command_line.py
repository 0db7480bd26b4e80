from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

import DDQN
import DQN
from tests.support.command_line import ROOT
from tests.support.corridor import ddqn, drive_there
from training.command_line import Command, read_command_line
from training.settings import changed, flat

Read = Callable[..., Command[DDQN.Settings]]


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Read:
    def read(*words: object) -> Command[DDQN.Settings]:
        monkeypatch.setattr(sys, "argv", ["DDQN.py", *map(str, words)])
        return read_command_line("DDQN", DDQN.PRESETS)

    return read


def test_flags_over_files_over_the_preset(tmp_path: Path, read: Read) -> None:
    first, second = tmp_path / "a.toml", tmp_path / "b.json"
    first.write_text('preset = "long"\ngamma = 0.9\nn_step = 2\ndense = [7, 8]\n')
    second.write_text('{"n_step": 3, "seed": 5}')
    command = read("--config", first, f"--config={second}", "--seed", 9)
    assert command.settings == changed(
        DDQN.PRESETS["long"], gamma=0.9, n_step=3, dense=(7, 8), seed=9
    )
    told = {name: command.sources[name] for name in ("gamma", "n_step", "seed", "stack")}
    assert told == {"gamma": str(first), "n_step": str(second), "seed": "flag", "stack": "default"}
    assert command.sources["decisions"] == "preset long"
    assert read("--config", first, "--preset", "smoke").settings.decisions == 3072


@pytest.mark.parametrize("preset", DDQN.PRESETS)
def test_what_is_printed_is_a_file_that_gives_the_same(
    tmp_path: Path, read: Read, preset: str
) -> None:
    command = read("--preset", preset, "--no-mirror", "--runs", tmp_path / "a b")
    path = tmp_path / "printed.toml"
    path.write_text(command.as_toml())
    assert len(tomllib.loads(path.read_text())) == len(flat(command.settings))
    assert read("--config", path).settings == command.settings


def test_a_runs_own_config_begins_another_run(tmp_path: Path, read: Read) -> None:
    done = drive_there(ddqn(tmp_path, decisions=48, name="mine"))
    command = read("--config", done.run / "config.json")
    assert command.settings.decisions == 48
    assert (command.settings.name, command.settings.runs) == ("", Path("runs"))


def test_a_run_is_resumed_with_a_file_for_longer(tmp_path: Path, read: Read) -> None:
    done = drive_there(ddqn(tmp_path, decisions=48, name="mine"))
    path = tmp_path / "longer.toml"
    path.write_text("decisions = 96")
    command = read("--resume", done.run, "--config", path)
    assert command.run is not None and command.run.path == done.run
    assert command.settings.decisions == 96
    assert (command.sources["decisions"], command.sources["cars"]) == (str(path), str(done.run))
    path.write_text("gamma = 0.5")
    with pytest.raises(ValueError, match=r"gamma was .*, now 0.5"):
        read("--resume", done.run, "--config", path)


def test_old_names_are_understood(tmp_path: Path, read: Read) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"huber_threshold": 3.0, "actors": 2, "cars": 4}))
    settings = read("--config", path).settings
    assert (settings.learning.huber_delta, settings.cars, settings.cars_per_actor) == (3.0, 8, 4)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.json", "{", "a.json: not JSON"),
        ("a.toml", "gamma =", "a.toml: not TOML"),
        ("a.txt", "gamma = 0.9", "a TOML file's name ends in .toml"),
        ("a.json", "[1]", "settings must be names with values"),
        ("a.toml", "[learning]\ngamma = 0.9", "must not be in tables, found learning"),
        ("a.toml", "gama = 0.9", "no setting 'gama'; did you mean gamma?"),
        ("a.toml", 'preset = "longer"', "preset must be one of"),
        ("a.toml", "preset = []", "preset must be one of"),
        ("a.toml", 'cars = "many"', "a.toml: cars must be int"),
        ("a.toml", "gamma = 2", "a.toml: gamma must be 0 to 1"),
        ("a.json", "\udcff", "a.json"),
        ("a.json", "[" * 100_000, "a.json: not JSON"),
    ],
)
def test_bad_files_are_one_line(
    tmp_path: Path, read: Read, name: str, text: str, message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ValueError, match=message.replace("?", r"\?")) as e:
        read("--config", path)
    assert "\n" not in str(e.value)


def test_a_missing_file_and_a_folder(tmp_path: Path, read: Read) -> None:
    with pytest.raises(ValueError, match="No such file"):
        read("--config", tmp_path / "none.toml")
    with pytest.raises(ValueError, match="Is a directory"):
        read("--config", tmp_path)


def test_a_file_of_the_other_script(tmp_path: Path, read: Read) -> None:
    """DQN knows no priorities; DDQN takes what DQN has."""
    path = tmp_path / "dqn.json"
    path.write_text(json.dumps(flat(DQN.Settings()), default=str))
    assert read("--config", path).settings == changed(DDQN.Settings(), dueling=False)


def test_the_shell_completes_flags(tmp_path: Path) -> None:
    """In a real bash, by the function that it would call."""
    script = tmp_path / "completion.bash"
    write = [sys.executable, "DDQN.py", "--tyro-write-completion", "bash", str(script)]
    subprocess.run(write, cwd=ROOT, check=True)
    ask = f"""source '{script}'; complete -p | grep -c DDQN.py
        COMP_WORDS=(./DDQN.py --learning-st) COMP_CWORD=1; _tyro_DDQN_py; echo "${{COMPREPLY[@]}}" """
    done = subprocess.run(["bash", "-c", ask], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.split() == ["1", "--learning-starts"], done.stderr
    assert os.access(ROOT / "DDQN.py", os.X_OK), (
        "a shell completes commands, not arguments of python"
    )
