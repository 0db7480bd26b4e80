"""The protocol of a camera, and the official camera: Gymnasium's image, as an agent sees it."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from racing.simulator import Simulator
from racing.vision import preprocess


class Camera(Protocol):
    """Takes a grey image of a simulator at the agent's size."""

    def render(self, simulator: Simulator) -> NDArray[np.uint8]:
        """What an agent sees now, uint8 [H, W]."""
        ...


class OfficialCamera:
    """Gymnasium's renderer, then greyscale, gauges and shrink."""

    def __init__(self, height: int, width: int) -> None:
        self.height, self.width = height, width

    def render(self, simulator: Simulator) -> NDArray[np.uint8]:
        """What an agent sees now, uint8 [H, W]."""
        return preprocess(simulator.draw(), self.height, self.width)
