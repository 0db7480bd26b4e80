"""Composes the images that an agent sees: the road in grey, with the car's gauges below, scaled down."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from racing import gauges
from racing.spec import IMAGE_HEIGHT

# Rows 84 to 95 of the official 96x96 image show the indicators and the score. For the agent, the indicators are
# redrawn and the score is left out.
ROAD_ROWS = IMAGE_HEIGHT - gauges.GAUGE_ROWS


def compose(
    road: NDArray[np.uint8], shown: gauges.Gauges, height: int, width: int
) -> NDArray[np.uint8]:
    """Append the gauges below the road, uint8 [84, 96], and scale down by area: uint8 [height, width]."""
    grey = np.concatenate([road, gauges.draw(shown)])  # [96, 96]
    if (height, width) == grey.shape:
        return grey
    return np.asarray(cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def grey_road(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Cut the road out of an official image and turn it grey, uint8 [96, 96, 3] -> [84, 96]."""
    return np.asarray(
        cv2.cvtColor(np.ascontiguousarray(rgb[:ROAD_ROWS]), cv2.COLOR_RGB2GRAY), np.uint8
    )


def preprocess(
    rgb: NDArray[np.uint8], height: int, width: int, shows_gauges: bool = True
) -> NDArray[np.uint8]:
    """Convert an official image to what an agent sees, uint8 [96, 96, 3] -> [height, width]."""
    shown = gauges.read(rgb[ROAD_ROWS:]) if shows_gauges else gauges.OFF
    return compose(grey_road(rgb), shown, height, width)
