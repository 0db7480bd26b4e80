"""The car's gauges, read from the indicator strip of the official image and redrawn for small images.

The strip below the official image shows speed, steering angle and rate of turn as bars. Scaled down, it would lose
most of this, and it also shows the score, which an agent must not see. So the three bars are measured and redrawn:
large, and so that the mirrored image shows the mirrored car.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

GAUGE_ROWS = 12  # of the 96 rows of an official image
_WIDTH = 96
_HALF = _WIDTH // 2
_ROWS_PER_BAR = GAUGE_ROWS // 3

# The values at which a bar reaches the edge of the image. The steering angle is at most 0.4; a spin turns at 2 or more.
FULL_SPEED, FULL_STEERING, FULL_TURN = 110.0, 0.42, 4.0

# The official strip, in image pixels: 0.02 strip heights per unit of speed, and so on.
_SPEED_COLUMN, _STEERING_COLUMN, _TURN_COLUMN = 13, 48, 72
_STEERING_ROW = 4  # a row that both horizontal bars cover
_REACH = 12  # columns to either side of their zero that are read
_PIXELS_PER_SPEED = 0.02 * 96 / 40
_PIXELS_PER_STEERING = 10.0 * 96 / 40
_PIXELS_PER_TURN = 0.8 * 96 / 40
_SPEED_EXCESS = 1.5 * 96 / 800  # the bar is drawn on whole screen pixels, both ends included


class Gauges(NamedTuple):
    """The values that the gauges show.

    Attributes:
        speed: World units per second.
        steering: Angle of the front wheels, radians to the left.
        turn: Rate of turn, radians per second to the left.
    """

    speed: float
    steering: float
    turn: float


OFF = Gauges(0.0, 0.0, 0.0)  # all bars black


def measure(car: Any) -> Gauges:
    """Measure the gauges of a simulator's car."""
    return Gauges(
        float(car.hull.linearVelocity.length),
        float(car.wheels[0].joint.angle),
        float(car.hull.angularVelocity),
    )


def read(strip: NDArray[np.uint8]) -> Gauges:
    """Read the bars of an official image's lowest rows, uint8 [12, 96, 3]."""
    upright = strip[:, _SPEED_COLUMN, 0] / 255.0
    red, green = strip[_STEERING_ROW, :, 0] / 255.0, strip[_STEERING_ROW, :, 1] / 255.0
    return Gauges(
        max(float(upright.sum()) - _SPEED_EXCESS, 0.0) / _PIXELS_PER_SPEED,
        _leftward(green, _STEERING_COLUMN) / _PIXELS_PER_STEERING,
        _leftward(red, _TURN_COLUMN) / _PIXELS_PER_TURN,
    )


def _leftward(row: NDArray[np.float64], zero: int) -> float:
    """Return the length of a bar that starts at column `zero`, image pixels, positive to the left."""
    return float(row[zero - _REACH : zero].sum() - row[zero : zero + _REACH].sum())


def draw(gauges: Gauges) -> NDArray[np.uint8]:
    """Draw speed (to both sides of the middle), steering and rate of turn as white bars, uint8 [12, 96]."""
    bars = np.zeros((3, _WIDTH), np.uint8)
    _fill(bars[0, _HALF:], gauges.speed / FULL_SPEED)
    bars[0, :_HALF] = bars[0, : _HALF - 1 : -1]  # so that a mirror does not change it
    for bar, to_right in (
        (bars[1], -gauges.steering / FULL_STEERING),
        (bars[2], -gauges.turn / FULL_TURN),
    ):
        _fill(bar[_HALF:] if to_right > 0 else bar[_HALF - 1 :: -1], abs(to_right))
    return np.repeat(bars, _ROWS_PER_BAR, axis=0)


def _fill(pixels: NDArray[np.uint8], share: float) -> None:
    """Fill a share of the pixels with white, uint8 [48], the last pixel in part."""
    length = min(share, 1.0) * _HALF
    whole = int(length)
    pixels[:whole] = 255
    pixels[whole : whole + 1] = int((length - whole) * 255)
