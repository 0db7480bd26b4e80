"""A script in a window on a virtual screen, and a person at its keys."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import ImageGrab

PATIENCE_SECONDS = 400.0  # for anything that must happen on a busy machine
Screen = NDArray[np.uint8]  # [H, W, 3]
GRASS = (102, 204, 102)
NO_SCREEN = {
    k: v
    for k, v in os.environ.items()
    if k not in ("DISPLAY", "WAYLAND_DISPLAY") and not k.startswith(("SDL_", "PYGAME_"))
}
needs_a_screen = pytest.mark.skipif(
    not (shutil.which("Xvfb") and shutil.which("xdotool")), reason="needs Xvfb and xdotool"
)


def wait_for(what: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not what():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.2)


def share(screen: Screen, colour: tuple[int, int, int]) -> float:
    return float((screen == colour).all(axis=-1).mean())


class Session:
    """The script on a virtual display, and a person at its keys."""

    def __init__(self, script: Path, *options: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(script), "--virtual-display", *options],
            env=NO_SCREEN,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout
        line = self._process.stdout.readline()
        self._display = line.removeprefix("the window is on display ").strip()
        wait_for(lambda: share(self.screen(), GRASS) > 0.02)

    def screen(self) -> Screen:
        """What is on the screen, uint8 [H, W, 3]."""
        return np.asarray(ImageGrab.grab(xdisplay=self._display).convert("RGB"))

    def press(self, action: str, key: str, check: bool = True) -> None:
        """One xdotool command: key, keydown or keyup."""
        command, env = ["xdotool", action, key], {**NO_SCREEN, "DISPLAY": self._display}
        done = subprocess.run(command, env=env, capture_output=True, text=True)
        assert not check or done.returncode == 0, done.stderr

    def end(self) -> str:
        """The person quits; what the script says."""
        self.press("key", "q", check=False)  # the display may be gone before the key is let go
        out, err = self._process.communicate(timeout=PATIENCE_SECONDS)
        assert self._process.returncode == 0, err
        return out

    def kill(self) -> None:
        """Whatever happened, nothing stays behind."""
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(PATIENCE_SECONDS)


@contextmanager
def sessions(script: Path) -> Iterator[Callable[..., Session]]:
    """To begin sessions, all of which are over in the end."""
    started: list[Session] = []

    def begin(*options: str) -> Session:
        started.append(Session(script, *options))
        return started[-1]

    try:
        yield begin
    finally:
        for one in started:
            one.kill()
