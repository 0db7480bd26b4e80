"""Keys and a gamepad that SDL makes up."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pygame
import pytest
from pygame._sdl2 import controller

from cockpit.controls import FULL_LOCK, HARDEST_BRAKE, Command, Controls, touched, turned


def test_a_key_turns_the_wheel_no_further_than_it_goes() -> None:
    steer, path = 0.0, []
    for direction in [-1.0] * 30 + [0.0] * 10 + [1.0] * 30:
        steer = turned(steer, direction)
        path.append(steer)
    assert path[29] == -FULL_LOCK
    assert path[39] == 0
    assert path[-1] == FULL_LOCK
    assert 0.02 < np.abs(np.diff(path)).max() < 0.1, "not at once"


@pytest.fixture
def gamepad(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[ctypes.CDLL, ctypes.c_void_p]]:
    """A gamepad that SDL makes up: six axes, 21 buttons."""
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    pygame.display.init()
    pygame.display.set_mode((10, 10))
    controller.init()
    maps = Path("/proc/self/maps")
    loaded = maps.read_text().split() if maps.exists() else []
    library = [word for word in loaded if "libSDL2-2" in word]
    if not library:
        pytest.skip("SDL is not where Linux's wheels have it")
    sdl = ctypes.CDLL(library[0])
    sdl.SDL_JoystickOpen.restype = ctypes.c_void_p
    index = sdl.SDL_JoystickAttachVirtual(1, 6, 21, 0)
    pad = ctypes.c_void_p(sdl.SDL_JoystickOpen(index))
    yield sdl, pad
    sdl.SDL_JoystickClose(pad)
    sdl.SDL_JoystickDetachVirtual(index)
    pygame.display.quit()


def test_a_gamepad_drives(gamepad: tuple[ctypes.CDLL, ctypes.c_void_p]) -> None:
    sdl, pad = gamepad
    controls = Controls()

    def move(stick: float, brake: float, gas: float) -> list[float]:
        for axis, value in ((0, stick), (4, 2 * brake - 1), (5, 2 * gas - 1)):
            sdl.SDL_JoystickSetVirtualAxis(pad, axis, ctypes.c_int16(round(32767 * value)))
        assert controls.commands() == []
        return list(controls.read())

    assert move(0, 0, 0) == pytest.approx([0, 0, 0], abs=1e-3)
    assert move(0.05, 0, 1) == pytest.approx([0, 1, 0], abs=1e-3), (
        "a stick that rests is never at 0"
    )
    assert move(-1, 0.5, 0) == pytest.approx([-FULL_LOCK, 0, 0.5 * HARDEST_BRAKE], abs=1e-3)
    assert touched(controls.read())
    move(0.05, 0.02, 0.05)
    assert not touched(controls.read()), "what rests is not touched"
    for button, command in ((3, Command.VIEW), (6, Command.RESTART), (0, Command.GO_ON)):
        sdl.SDL_JoystickSetVirtualButton(pad, button, 1)
        assert controls.commands() == [command]
