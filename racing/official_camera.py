"""The camera protocol, and the official camera, which converts Gymnasium's image for the agent."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from racing.simulator import Simulator
from racing.vision import preprocess


class Camera(Protocol):
    """Takes grey images of a simulator, in the size that the agent sees."""

    def render(self, simulator: Simulator) -> NDArray[np.uint8]:
        """Return the current image, uint8 [H, W]."""
        ...


class OfficialCamera:
    """Uses Gymnasium's image, made grey, with gauges redrawn, and scaled down."""

    def __init__(self, height: int, width: int, shows_gauges: bool = True) -> None:
        self.height, self.width, self.shows_gauges = height, width, shows_gauges

    def render(self, simulator: Simulator) -> NDArray[np.uint8]:
        """Return the current image, uint8 [H, W]."""
        return preprocess(simulator.draw(), self.height, self.width, self.shows_gauges)
