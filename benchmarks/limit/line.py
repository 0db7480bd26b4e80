"""The line along a road that takes least time: speeds and offsets found together by an interior-point method.

Unknown are the offset from the middle of the road at every boundary between tiles, and the speed half-way between two
boundaries. Every boundary has a cell about it, with one curvature, from which what its time and its limits depend on
is taken: two offsets beside its own, and the speeds at both ends. The limits are barriers: -m log(room left), with a
weight m that falls. Newton's method goes down, with derivatives by complex steps, and the weight falls. The time that
counts is in the end the exact profile's (speed_profile.fastest) along the line that was found.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.limit.car import Limits, body
from benchmarks.limit.road import Road, hold
from benchmarks.limit.speed_profile import Profile, fastest

Array = NDArray[np.float64]
Jet = NDArray[Any]  # float64, or complex128 whose imaginary part is a derivative

WEIGHTS = 10.0 ** -np.arange(2.0, 6.5)  # seconds, of the barriers
ROUNDS = 60  # of Newton's method at one weight, at most
SPEED_UNIT = 10.0  # units/s; offsets and speeds are then of like size
BLOCK = 24  # unknowns
UPWARDS = (0.0, 0.1, 1.0)  # shares of the curvature downwards that are turned upwards, tried in turn
HIDDEN = 1e-30  # the complex step
NUDGE = 1e-6  # for differences of gradients


@dataclass(frozen=True)
class Line:
    """A line and how fast it can be driven.

    Attributes:
        offset: To the right of the middle, units, [boundaries].
        points: Places, units, [boundaries, 2].
        curvature: At every boundary, to the left positive, 1/units, [boundaries].
        profile: Between boundaries, for this line alone.
        seconds: Until the last tile is touched.
    """

    offset: Array
    points: Array
    curvature: Array
    profile: Profile
    seconds: float


def shape(before: Jet, here: Jet, after: Jet) -> tuple[Jet, Jet]:
    """Curvature and length of the cells about points; a cell reaches half-way to the next points.

    Args:
        before: Point before every point, [..., 2].
        here: The points, [..., 2].
        after: Point after every point, [..., 2].

    Returns:
        Curvature, to the left positive, 1/units, and length, units, both [...].
    """
    come, go = here - before, after - here
    length = (np.sqrt((come**2).sum(axis=-1)) + np.sqrt((go**2).sum(axis=-1))) / 2
    cross = come[..., 0] * go[..., 1] - come[..., 1] * go[..., 0]
    return np.arctan(cross / (come * go).sum(axis=-1)) / length, length


def cells(points: Array) -> tuple[Array, Array]:
    """Curvature and length of the cells of whole lines, points [boundaries, ..., 2]."""
    curvature, length = np.zeros(points.shape[:-1]), np.zeros(points.shape[:-1])
    curvature[1:-1], length[1:-1] = shape(points[:-2], points[1:-1], points[2:])
    for end, beside in ((0, 1), (-1, -2)):  # half a cell, straight
        length[end] = np.hypot(*(points[end] - points[beside]).T) / 2
    return curvature, length


def time_line(road: Road, offset: Array, car: Limits, care: Array | float = 1.0) -> Line:
    """How fast a line can be driven; the last tile is touched as soon as the car can reach it.

    Args:
        road: Of the track.
        offset: Of the line, units, [boundaries].
        car: What it can do.
        care: Share of the grip that is used, at every boundary or everywhere.
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
    tell: Callable[[], None] = lambda: None,
) -> Line:
    """The fastest line near another one, nowhere further than a width from the middle.

    Args:
        road: Of the track.
        car: What it can do.
        width: Largest offset, units.
        begin: Offsets to begin with, within the width; the middle if None.
        tell: Called once in every round of the search.
    """
    begin = np.zeros(len(road.middle)) if begin is None else begin
    problem = _Problem(road, car, width)
    speed = time_line(road, begin, car).profile.speed[:, 0]
    unknown = np.stack([begin, 0.75 * speed[1:] / SPEED_UNIT], axis=1).ravel()
    best = time_line(road, begin, car)
    for weight in WEIGHTS:
        unknown = _newton(problem, unknown, weight, tell)
        found = time_line(road, unknown[::2].copy(), car)
        best = min(best, found, key=lambda line: line.seconds)
    return best


class _Problem:
    """Time and barriers as a function of offset 0, speed 0, offset 1, speed 1, ...; speed i is after boundary i."""

    def __init__(self, road: Road, car: Limits, width: float) -> None:
        self.road, self.car, self.width = road, car, width
        count = len(road.middle)
        at = np.arange(1, count - 1)[:, None]
        # What cell i depends on: offsets before, here and after, speeds at its ends.
        self.uses = 2 * at + np.array([-2, 0, 2, -1, 1])  # [cells, 5]
        self.free = np.ones(2 * count, dtype=bool)
        self.free[[0, -1]] = False  # the start, and a speed beyond the end

    def values(self, x: Jet, weight: float) -> Jet:
        """Every cell's time and barriers, from what it depends on, [..., cells, 5] to [..., cells]."""
        middle, right, car = self.road.middle, self.road.right, self.car
        places = [
            middle[i : len(middle) - 2 + i] + x[..., i, None] * right[i : len(right) - 2 + i]
            for i in range(3)
        ]
        curvature, length = shape(places[0], places[1], places[2])
        v0, v1 = SPEED_UNIT * x[..., 3], SPEED_UNIT * x[..., 4]
        grip = car.grip * hold(x[..., 1])
        along = (v1**2 - v0**2) / (2 * length)
        forward = car.forward
        if np.isfinite(car.power):
            limit = car.power / (v0 + car.power_offset)
            forward = np.where(limit.real < car.forward, limit, car.forward)
        push = np.where(along.real > 0, along / forward, 0.0)
        rooms = [1 - (x[..., 1] / self.width) ** 2, 1 - v1 / car.top_speed, v0 / SPEED_UNIT, 1 - push]
        beside = car.sideways(np.where(push.real < 1, push, 0.0))
        for v in (v0, v1):
            across = curvature * v**2 / grip
            rooms += [1 - across**2 - (along / grip) ** 2, beside**2 - across**2]
        bad = np.min([room.real for room in rooms], axis=0) <= 0
        barrier = sum(np.log(np.where(bad, 1.0, room)) for room in rooms)
        value = 2 * length / (v0 + v1) - weight * barrier
        return np.asarray(np.where(bad, np.inf, value))

    def total(self, x: Array, weight: float) -> float:
        return float(self.values(x[self.uses], weight).sum() + self.ends(x).sum())

    def ends(self, x: Jet) -> Jet:
        """Half cells at both ends: from standstill to speed 0, and on with the last speed, [2]."""
        points = self.road.middle[[0, 1, -2, -1]]
        first, last = np.hypot(*(points[1] - points[0])) / 2, np.hypot(*(points[3] - points[2])) / 2
        return np.array([2 * first / (SPEED_UNIT * x[1]), last / (SPEED_UNIT * x[-3])])

    def newton(self, x: Array, weight: float) -> tuple[Array, float]:
        """Newton's step [2 N] and twice what it promises, with as much of the curvature downwards left out as it takes for a step downwards."""
        unit = np.eye(5)
        moves = NUDGE * np.concatenate([np.zeros((1, 5)), unit])  # [6, 5]
        moved = x[self.uses] + moves[:, None, None, :] + 1j * HIDDEN * unit[:, None, :]
        slopes = self.values(moved, weight).imag / HIDDEN  # [6 moves, 5 slopes, cells]
        slope = slopes[0].T
        bent = ((slopes[1:] - slopes[:1]) / NUDGE).transpose(2, 0, 1)
        bent = (bent + bent.swapaxes(-1, -2)) / 2
        values, vectors = np.linalg.eigh(bent)
        upwards = (vectors * np.abs(values)[:, None, :]) @ vectors.swapaxes(-1, -2)
        gradient = np.zeros(len(x))
        np.add.at(gradient, self.uses, slope)
        costs = self.ends(x)
        gradient[[1, -3]] -= costs / x[[1, -3]]
        gradient[~self.free] = 0.0
        for share in UPWARDS:
            matrix = self._assembled(bent + share * (upwards - bent))
            matrix[[1, -3], [1, -3]] += 2 * costs / x[[1, -3]] ** 2
            step = _solve_banded(matrix, -gradient)
            if step is not None:
                return step, -float(gradient @ step)
        raise ArithmeticError("no way down")  # the last share leaves nothing downwards

    def _assembled(self, bent: Array) -> Array:
        """The cells' curvatures added up, [2 N, 2 N]; what is not free stays where it is."""
        count = len(self.free)
        places = (self.uses[:, :, None] * count + self.uses[:, None, :]).ravel()
        matrix = np.bincount(places, bent.ravel(), minlength=count**2).reshape(count, count)
        matrix[~self.free], matrix[:, ~self.free] = 0.0, 0.0
        matrix[np.diag_indices(count)] += np.where(self.free, 1e-9, 1.0)
        return matrix


def _solve_banded(matrix: Array, right: Array) -> Array | None:
    """Solve a system whose entries all lie within BLOCK of the diagonal, block by block; None if not positive."""
    starts = range(0, len(right), BLOCK)
    parts = [slice(at, min(at + BLOCK, len(right))) for at in starts]
    pivots, sides = [matrix[parts[0], parts[0]]], [right[parts[0]]]
    try:
        for before, here in zip(parts, parts[1:], strict=False):
            np.linalg.cholesky(pivots[-1])
            both = np.column_stack([matrix[before, here], sides[-1]])
            gone = matrix[here, before] @ np.linalg.solve(pivots[-1], both)
            pivots.append(matrix[here, here] - gone[:, :-1])
            sides.append(right[here] - gone[:, -1])
        np.linalg.cholesky(pivots[-1])
    except np.linalg.LinAlgError:
        return None
    found = np.empty_like(right)
    found[parts[-1]] = np.linalg.solve(pivots[-1], sides[-1])
    for k in range(len(parts) - 2, -1, -1):
        known = matrix[parts[k], parts[k + 1]] @ found[parts[k + 1]]
        found[parts[k]] = np.linalg.solve(pivots[k], sides[k] - known)
    return found


def _newton(problem: _Problem, x: Array, weight: float, tell: Callable[[], None]) -> Array:
    value = problem.total(x, weight)
    for _ in range(ROUNDS):
        tell()
        step, promised = problem.newton(x, weight)
        share = 1.0
        while not (then := problem.total(x + share * step, weight)) < value - 1e-4 * share * promised:
            share /= 2
            if share < 1e-6:
                return x
        x, gained, value = x + share * step, value - then, then
        if gained < weight:
            break
    return x
