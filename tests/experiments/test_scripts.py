from __future__ import annotations

import sys
from pathlib import Path

import pytest

import DDQN
import DQN
from experiments.scripts import load_script, words
from tests.support.command_line import ROOT
from training.command_line import read_command_line
from training.settings import RunSettings, changed


@pytest.mark.parametrize("preset", DDQN.PRESETS)
@pytest.mark.parametrize(
    "values",
    [
        {},
        {"gamma": 0.9, "mirror": False, "workers": 3, "device": "cpu"},
        {"dense": (7, 8), "convolutions": ((8, 3, 1), (4, 2, 1)), "actions": "stock"},
        {"learning_rate": 1e-5, "reward_offset": -1.5, "decisions": 7},
    ],
    ids=str,
)
def test_words_are_understood_as_they_were_meant(
    monkeypatch: pytest.MonkeyPatch, preset: str, values: dict[str, object]
) -> None:
    base: RunSettings = DDQN.PRESETS[preset]
    wanted = changed(base, **values)
    monkeypatch.setattr(sys, "argv", ["DDQN.py", *words(wanted, base)])
    assert read_command_line("DDQN", DDQN.PRESETS).settings == wanted


def test_a_script_is_read_without_running_it() -> None:
    script = load_script(ROOT / "DQN.py")
    assert (script.agent, script.presets) == ("DQN", DQN.PRESETS)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("none.py", None, "no such script"),
        ("empty.py", "", "not a script that trains"),
        ("wrong.py", "PRESETS = {", "not a script that trains"),
        ("other.py", "PRESETS = {}", "not a script that trains"),
        ("text.txt", "hello", "not a script that trains"),
    ],
)
def test_what_is_no_script(tmp_path: Path, name: str, text: str | None, message: str) -> None:
    path = tmp_path / name
    if text is not None:
        path.write_text(text)
    with pytest.raises(ValueError, match=message) as e:
        load_script(path)
    assert "\n" not in str(e.value) and str(path) in str(e.value)
