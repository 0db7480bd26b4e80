"""Fixtures of all tests of mirrors: places, and runs that were trained once for all of them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.support.corridor import StopAt, ddqn, drive_there
from tests.support.s3 import place, running_server, s3

__all__ = ["place", "running_server", "s3"]
SHORT: dict[str, Any] = {"decisions": 1440, "checkpoint_every": 240, "name": "race"}


@pytest.fixture(scope="session")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mirror with a run that was stopped at 720 of 1440 decisions; nothing else is left of it."""
    folder = tmp_path_factory.mktemp("stopped")
    (folder / "mirror").mkdir()
    stop = StopAt(720)
    settings = ddqn(folder / "runs", mirror_to=(folder / "mirror").as_uri(), **SHORT)
    drive_there(settings, sinks=[stop], stop=stop)
    shutil.rmtree(folder / "runs")
    return folder / "mirror"


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That run as nobody stopped or mirrored it."""
    return drive_there(ddqn(tmp_path_factory.mktemp("undisturbed"), **SHORT)).run


@pytest.fixture(scope="session")
def two_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two runs in `runs`, and their mirror in `mirror`."""
    folder = tmp_path_factory.mktemp("two")
    (folder / "mirror").mkdir()
    for seed in (1, 2):
        settings = ddqn(
            folder / "runs",
            seed=seed,
            name=f"race-seed{seed}",
            mirror_to=(folder / "mirror").as_uri(),
            decisions=480,
            checkpoint_every=240,
        )
        drive_there(settings)
    return folder
