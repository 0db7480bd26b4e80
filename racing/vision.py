"""What an agent sees: greyscale, the indicator strip cropped, small."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

# Rows 84 to 95 of the official 96x96 picture hold the indicators and the score: an agent that sees its own
# return in the picture could read it there. The rows above do not depend on the version of Gymnasium.
PICTURE_WIDTH = 96
PICTURE_HEIGHT = 84


def shrink(grey: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Area-average a cropped grey picture, uint8 [84, 96] -> [height, width]."""
    if (height, width) == grey.shape:
        return grey
    small = cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(small, dtype=np.uint8)


def look(rgb: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """What an agent sees of an official picture, uint8 [96, 96, 3] -> [height, width]."""
    grey = cv2.cvtColor(np.ascontiguousarray(rgb[:PICTURE_HEIGHT]), cv2.COLOR_RGB2GRAY)
    return shrink(np.asarray(grey, dtype=np.uint8), height, width)
