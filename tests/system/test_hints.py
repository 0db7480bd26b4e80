"""Commands that a user copies."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from system.hints import command


def test_the_python_that_runs_as_seen_from_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / ".venv" / "bin" / "python"
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.chdir(tmp_path)
    assert command("runs.py", "list", Path("a b")) == ".venv/bin/python runs.py list 'a b'"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert command("runs.py") == f"{python} runs.py"


def test_in_a_folder_that_was_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hint at the end of a training must not end it otherwise."""
    gone = tmp_path / "gone"
    gone.mkdir()
    with monkeypatch.context() as patch:
        patch.chdir(gone)
        gone.rmdir()
        assert command("runs.py") == f"{sys.executable} runs.py"
