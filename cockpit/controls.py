"""What a person wants: steering, gas and brake, and commands, from keys or a gamepad."""

from __future__ import annotations

from enum import Enum, auto

import numpy as np
import pygame
from numpy.typing import NDArray
from pygame._sdl2 import controller

LEFT, RIGHT = (pygame.K_LEFT, pygame.K_a), (pygame.K_RIGHT, pygame.K_d)
GAS, BRAKE = (pygame.K_UP, pygame.K_w), (pygame.K_DOWN, pygame.K_s)
FULL_LOCK = 0.4  # the front wheels turn no further than this command
TURN_IN, TURN_BACK = 0.03, 0.06  # steering per frame towards what a key asks for, and back
HARDEST_BRAKE = 0.8  # 0.9 and more would lock the wheels
DEAD_ZONE = 0.08  # of a stick
AXIS = 32768.0  # full travel of a gamepad's axis


class Command(Enum):
    """What is not driving."""

    GO_ON = auto()
    RESTART = auto()
    VIEW = auto()
    QUIT = auto()


KEYS = {
    pygame.K_RETURN: Command.GO_ON,
    pygame.K_SPACE: Command.GO_ON,
    pygame.K_r: Command.RESTART,
    pygame.K_v: Command.VIEW,
    pygame.K_q: Command.QUIT,
    pygame.K_ESCAPE: Command.QUIT,
}
BUTTONS = {
    pygame.CONTROLLER_BUTTON_A: Command.GO_ON,
    pygame.CONTROLLER_BUTTON_START: Command.RESTART,
    pygame.CONTROLLER_BUTTON_Y: Command.VIEW,
    pygame.CONTROLLER_BUTTON_BACK: Command.QUIT,
}


class Controls:
    """Reads keys and the gamepads that are there, also those that are plugged in later."""

    def __init__(self) -> None:
        controller.init()
        self._pads: dict[int, controller.Controller] = {}
        self._steer = 0.0

    def centre(self) -> None:
        """An episode begins: the wheels point straight ahead."""
        self._steer = 0.0

    def commands(self) -> list[Command]:
        """What was asked for since the last call."""
        found = []
        for event in pygame.event.get():
            if event.type == pygame.QUIT:
                found.append(Command.QUIT)
            elif event.type == pygame.KEYDOWN and event.key in KEYS:
                found.append(KEYS[event.key])
            elif event.type == pygame.CONTROLLERBUTTONDOWN and event.button in BUTTONS:
                found.append(BUTTONS[event.button])
            elif event.type == pygame.CONTROLLERDEVICEADDED:
                pad = controller.Controller(event.device_index)
                self._pads[pad.id] = pad
            elif event.type == pygame.CONTROLLERDEVICEREMOVED:
                self._pads.pop(event.instance_id, None)
        return found

    def read(self) -> NDArray[np.float64]:
        """(steer, gas, brake) for the next frame, float64 [3]."""
        keys = pygame.key.get_pressed()
        left, right, gas, brake = (
            float(any(keys[key] for key in group)) for group in (LEFT, RIGHT, GAS, BRAKE)
        )
        self._steer = turned(self._steer, right - left)
        steer = self._steer
        for pad in self._pads.values():
            stick = pad.get_axis(pygame.CONTROLLER_AXIS_LEFTX) / AXIS
            if abs(stick) > DEAD_ZONE:
                steer = stick * FULL_LOCK
            gas = max(gas, pad.get_axis(pygame.CONTROLLER_AXIS_TRIGGERRIGHT) / AXIS)
            brake = max(brake, pad.get_axis(pygame.CONTROLLER_AXIS_TRIGGERLEFT) / AXIS)
        return np.array([steer, gas, brake * HARDEST_BRAKE])


def touched(control: NDArray[np.float64]) -> bool:
    """Whether somebody wants to drive: (steer, gas, brake), of which a gamepad's triggers may not rest at 0."""
    steer, gas, brake = control
    return bool(steer != 0 or max(gas, brake) > DEAD_ZONE)


def turned(steer: float, direction: float) -> float:
    """Steering one frame later: a key turns the wheel as fast as a hand would, not at once."""
    wanted = direction * FULL_LOCK
    away = abs(wanted) > abs(steer) and wanted * steer >= 0
    most = TURN_IN if away else TURN_BACK
    return steer + min(max(wanted - steer, -most), most)
