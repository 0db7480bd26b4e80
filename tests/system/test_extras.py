"""Packages of an extra: what is missing is named, with the command that installs it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from system.extras import require


def test_what_is_there_is_not_imported() -> None:
    sys.modules.pop("this", None)
    require("zen", "this", "json")
    assert "this" not in sys.modules


def test_what_is_missing_is_named() -> None:
    with pytest.raises(ValueError, match=r"^no_such is not installed; .* '\.\[some\]'$"):
        require("some", "json", "no_such")


def test_a_folder_of_that_name_is_no_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trackers make one, named like themselves, where they are used."""
    (tmp_path / "tracker_of_ours").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match="tracker_of_ours is not installed"):
        require("some", "tracker_of_ours")
    (tmp_path / "tracker_of_ours" / "__init__.py").touch()
    require("some", "tracker_of_ours")
