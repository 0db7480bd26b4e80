"""The bound of a track: the time of its best possible lap, and the frames that this takes in the simulator."""

from __future__ import annotations

import math

from benchmarks.limit.car import FRAME, limits
from benchmarks.limit.line import Line, best_line
from benchmarks.limit.road import Road, widest


def bound(road: Road) -> Line:
    """The fastest line of the optimistic car on the widest road."""
    return best_line(road, limits(), widest())


def frames_of(seconds: float) -> int:
    """Frames of a lap that takes so long if time did not come in frames.

    The simulator moves the car with the speed at the end of each frame, which gains half a frame at most over the
    lap; and it finds a touch in the frame after that in which the wheel got there.
    """
    return math.ceil(seconds / FRAME - 0.5) + 1
