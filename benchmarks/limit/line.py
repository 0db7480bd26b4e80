"""Computes the fastest line along a road; offsets and speeds are optimised together by an interior-point method.

The final time is that of the exact speed profile (speed_profile.fastest) along this line.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.limit.car import Limits, body
from benchmarks.limit.descent import SPEED_UNIT, Problem, descend
from benchmarks.limit.road import Road, hold, shape
from benchmarks.limit.speed_profile import Profile, fastest

Array = NDArray[np.float64]
CAUTION = 0.75  # factor for the initial speeds; its powers are tried until no limit is violated
WEIGHTS = 10.0 ** -np.arange(2.0, 6.5)  # of the barriers, seconds


@dataclass(frozen=True)
class Line:
    """A line and how fast it can be driven.

    Attributes:
        offset: Offsets to the right of the middle, units, [boundaries].
        points: Points of the line, units, [boundaries, 2].
        curvature: Curvature at every boundary, positive to the left, 1/units, [boundaries].
        profile: Speed profile between boundaries, for this line alone.
        seconds: Time until the last tile is touched.
    """

    offset: Array
    points: Array
    curvature: Array
    profile: Profile
    seconds: float


def cells(points: Array) -> tuple[Array, Array]:
    """Return curvature and length of the cells of whole lines with points [boundaries, ..., 2]."""
    curvature, length = np.zeros(points.shape[:-1]), np.zeros(points.shape[:-1])
    curvature[1:-1], length[1:-1] = shape(points[:-2], points[1:-1], points[2:])
    for end, beside in ((0, 1), (-1, -2)):  # half a cell, straight
        length[end] = np.hypot(*(points[end] - points[beside]).T) / 2
    return curvature, length


def time_line(road: Road, offset: Array, car: Limits, care: Array | float = 1.0) -> Line:
    """Compute how fast a line can be driven; the last tile is touched as soon as the car can reach it.

    Args:
        road: Road of the track.
        offset: Offsets of the line, units, [boundaries].
        car: Limits of the car.
        care: Share of the grip that is used, a number or [boundaries].
    """
    points = road.points(offset)
    curvature, length = cells(points)
    held = (care * hold(offset))[:, None]
    profile = fastest(curvature[:, None], length[:, None], held, car)
    seconds = float(profile.total[0] - body().reach / profile.speed[-1, 0])
    return Line(offset, points, curvature, profile, seconds)


def best_line(
    road: Road,
    car: Limits,
    width: float,
    begin: Array | None = None,
) -> Line:
    """Find the fastest line (a local optimum) within a distance of the middle of the road.

    Args:
        road: Road of the track.
        car: Limits of the car.
        width: Largest offset from the middle, units.
        begin: Initial offsets, within the width; by default the middle.

    Raises:
        ArithmeticError: If the initial line cannot be driven at any speed.
    """
    begin = np.zeros(len(road.middle)) if begin is None else begin
    problem = Problem(road, car, width)
    speed = time_line(road, begin, car).profile.speed[:, 0]
    for power in range(1, 20):
        unknown = np.stack([begin, CAUTION**power * speed[1:] / SPEED_UNIT], axis=1).ravel()
        if np.isfinite(problem.total(unknown, WEIGHTS[0])):
            break
    else:
        raise ArithmeticError("no speed is slow enough to begin with")
    best = time_line(road, begin, car)
    for weight in WEIGHTS:
        unknown = descend(problem, unknown, weight)
        found = time_line(road, unknown[::2].copy(), car)
        best = min(best, found, key=lambda line: line.seconds)
    return best
