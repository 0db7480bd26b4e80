"""A driver is watched: in a real window on a virtual screen, with real keys."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import evaluate
from cockpit.spectator import BAR, BEST
from tests.support.command_line import ROOT
from tests.support.screen import NO_SCREEN, Session, needs_a_screen, sessions, share, wait_for

SCRIPT = Path(evaluate.__file__)
MODEL = str(ROOT / "models" / "ddqn.safetensors")


def stands_still(window: Session) -> bool:
    """For long enough that a slow machine would have drawn another frame."""
    before = window.screen()
    time.sleep(2)
    return np.array_equal(before, window.screen())


@needs_a_screen
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_network_is_watched_with_what_it_expects() -> None:
    """It drives, a bar for each action changes, a pause stands still, the next track is another one, Q ends it."""
    with sessions(SCRIPT) as begin:
        window = begin(MODEL, "--show", "--tracks", "7:20", "--camera", "fast")
        wait_for(lambda: share(window.screen(), BEST) > 0 and share(window.screen(), BAR) > 0)
        before = window.screen()
        wait_for(lambda: bool((window.screen() != before).mean() > 0.02))
        window.press("key", "space")
        wait_for(lambda: stands_still(window))
        still = window.screen()
        assert stands_still(window)
        window.press("key", "space")
        window.press("key", "n")
        wait_for(lambda: not np.array_equal(window.screen(), still))
        window.end()


@pytest.mark.slow
def test_without_a_screen_it_says_what_to_do() -> None:
    command = [sys.executable, str(SCRIPT), "random", "--show"]
    done = subprocess.run(command, capture_output=True, text=True, env=NO_SCREEN)
    assert done.returncode == 2
    assert done.stderr.startswith("error: there is no screen")
    assert "--film FOLDER" in done.stderr
