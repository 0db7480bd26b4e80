"""The bound of a track: a lower bound of the lap time, and the number of frames that this takes in the simulator."""

from __future__ import annotations

import math

from benchmarks.limit.car import FRAME, limits
from benchmarks.limit.line import Line, best_line
from benchmarks.limit.road import Road, widest


def bound(road: Road) -> Line:
    """Compute the fastest line of the optimistic car on the widest possible road."""
    return best_line(road, limits(), widest())


def frames_of(seconds: float) -> int:
    """Convert a lap time in continuous time to simulator frames.

    The simulator moves the car with the speed at the end of each frame, which gains at most half a frame over the lap;
    and it detects that a wheel touches a tile one frame late.
    """
    return math.ceil(seconds / FRAME - 0.5) + 1
