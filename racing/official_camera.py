"""What a camera is, and the official one: Gymnasium's picture, as an agent sees it."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from racing.simulator import Simulator
from racing.vision import look


class Camera(Protocol):
    """Takes a grey picture of a simulator at the agent's size."""

    def picture(self, simulator: Simulator) -> NDArray[np.uint8]:
        """The present view, uint8 [H, W]."""
        ...


class OfficialCamera:
    """Gymnasium's renderer, then greyscale, gauges and shrink."""

    def __init__(self, height: int, width: int) -> None:
        self.height, self.width = height, width

    def picture(self, simulator: Simulator) -> NDArray[np.uint8]:
        """The present view, uint8 [H, W]."""
        return look(simulator.draw(), self.height, self.width)
