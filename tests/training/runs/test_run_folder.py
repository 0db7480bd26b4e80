"""A run's folder: what it remembers of where it began."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from training.runs.run_folder import RunError, RunFolder
from training.settings import RunSettings


def begun_with(folder: Path, **origin: Any) -> RunFolder:
    """A run that says something else of its beginning."""
    run = RunFolder.create(folder, "DDQN", "one", RunSettings())
    path = run.path / "origin.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | origin))
    return run


def test_nothing_changed(tmp_path: Path) -> None:
    assert begun_with(tmp_path).other_versions() == []


def test_every_change_is_named(tmp_path: Path) -> None:
    run = begun_with(tmp_path, processor="a slide rule", versions={"keras": "2.15.0"})
    processor, keras = run.other_versions()
    assert processor.startswith("processor was a slide rule, now ")
    assert keras.startswith("keras was 2.15.0, now 3.")


@pytest.mark.parametrize("versions", [[], None, "keras"])
def test_what_no_run_writes_is_refused(tmp_path: Path, versions: object) -> None:
    with pytest.raises(RunError, match=r"origin\.json: not what a run writes"):
        begun_with(tmp_path, versions=versions).other_versions()


def test_a_second_lock_is_refused(tmp_path: Path) -> None:
    run = begun_with(tmp_path)
    with pytest.raises(RunError, match="is being trained by another process"):
        RunFolder(run.path).lock()


def test_what_it_was_told_anew_holds_the_next_time(tmp_path: Path) -> None:
    """A run that goes farther than it was to is the same run, and goes as far when it is stopped and resumed again."""
    run = begun_with(tmp_path)
    identity, wanted = run.identity(), replace(RunSettings(), decisions=900_000, resume="latest")
    run.go_on_with(wanted)
    assert run.config() == json.loads(json.dumps(vars(RunSettings(decisions=900_000)), default=str))
    assert run.identity() == identity
    other = run.config() | {"seed": 7}
    (run.path / "config.json").write_text(json.dumps(other, indent=1) + "\n")
    assert run.identity() != identity
