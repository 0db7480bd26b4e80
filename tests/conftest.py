"""What holds for every test."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("SDL_VIDEODRIVER", "dummy")  # no display anywhere

import pytest
from hypothesis import settings

from tests.support.server import Server

# The same examples on every machine and in every run; a slow machine is no failure.
settings.register_profile("suite", deadline=None, derandomize=True, database=None)
settings.load_profile("suite")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server whose processes end with the test, however that ends."""
    server = Server(tmp_path)
    yield server
    for process in server.processes():
        os.kill(process, signal.SIGKILL)
