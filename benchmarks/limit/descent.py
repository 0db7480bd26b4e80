"""Minimises the time along a road over offsets and speeds, with an interior-point method.

The unknowns are the offset from the middle of the road at every boundary between tiles, and the speed half-way between
two boundaries. Every boundary is the centre of a cell with constant curvature. The cell's time and limits depend on
five unknowns: the offsets before, at and after the boundary, and the speeds at both ends. The limits are barriers,
-weight x log(distance to the limit), with decreasing weights. Each problem is minimised with Newton's method, with
derivatives by complex steps.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.limit.car import Limits
from benchmarks.limit.road import Road, hold, shape

Array = NDArray[np.float64]
Jet = NDArray[Any]  # float64, or complex128 whose imaginary part is a derivative

ROUNDS = 60  # iterations of Newton's method at one weight, at most
SPEED_UNIT = 10.0  # units/s; makes offsets and speeds similar in size
BLOCK = 24  # unknowns
UPWARDS = (0.0, 0.1, 1.0)  # shares of the negative curvature that are made positive, in turn
HIDDEN = 1e-30  # the complex step
NUDGE = 1e-6  # step for finite differences of gradients
ENOUGH = 1e-4  # required share of the predicted decrease (Armijo)
SHORTEST = 1e-6  # smallest share of a step that is tried


class Problem:
    """Time and barriers as a function of offset 0, speed 0, offset 1, speed 1, ...; speed i is after boundary i."""

    def __init__(self, road: Road, car: Limits, width: float) -> None:
        self.road, self.car, self.width = road, car, width
        count = len(road.middle)
        at = np.arange(1, count - 1)[:, None]
        # The unknowns of cell i: offsets before, at and after its boundary, speeds at its ends.
        self.uses = 2 * at + np.array([-2, 0, 2, -1, 1])  # [cells, 5]
        self.free = np.ones(2 * count, dtype=bool)
        self.free[[0, -1]] = False  # the start, and a speed beyond the end

    def values(self, x: Jet, weight: float) -> Jet:
        """Return every cell's time plus barriers, given its five unknowns, [..., cells, 5] -> [..., cells]."""
        middle, right, car = self.road.middle, self.road.right, self.car
        places = [
            middle[i : len(middle) - 2 + i] + x[..., i, None] * right[i : len(right) - 2 + i]
            for i in range(3)
        ]
        curvature, length = shape(places[0], places[1], places[2])
        v0, v1 = SPEED_UNIT * x[..., 3], SPEED_UNIT * x[..., 4]
        grip = car.grip * hold(x[..., 1])
        along = (v1**2 - v0**2) / (2 * length)
        forward: Jet | float = car.forward
        if np.isfinite(car.power):
            limit = car.power / (v0 + car.power_offset)
            forward = np.where(limit.real < car.forward, limit, car.forward)
        push = np.where(along.real > 0, along / forward, 0.0)
        rooms = [
            1 - (x[..., 1] / self.width) ** 2,
            1 - v1 / car.top_speed,
            v0 / SPEED_UNIT,
            1 - push,
        ]
        beside = car.sideways(np.where(push.real < 1, push, 0.0))
        for v in (v0, v1):
            across = curvature * v**2 / grip
            rooms += [1 - across**2 - (along / grip) ** 2, beside**2 - across**2]
        # A step that is too long may give NaN, which then does not count as a decrease.
        bad = np.min([room.real for room in rooms], axis=0) <= 0
        barrier = sum(np.log(np.where(bad, 1.0, room)) for room in rooms)
        value = 2 * length / (v0 + v1) - weight * barrier
        return np.asarray(np.where(bad, np.inf, value))

    def total(self, x: Array, weight: float) -> float:
        """Return the total time plus barriers, given the unknowns [2 N]; infinite if a limit is violated."""
        return float(self.values(x[self.uses], weight).sum() + self.ends(x).sum())

    def ends(self, x: Jet) -> Jet:
        """Return the times of the half cells at both ends, [2]: from standstill to speed 0, and at the last speed."""
        points = self.road.middle[[0, 1, -2, -1]]
        first, last = np.hypot(*(points[1] - points[0])) / 2, np.hypot(*(points[3] - points[2])) / 2
        return np.array([2 * first / (SPEED_UNIT * x[1]), last / (SPEED_UNIT * x[-3])])

    def newton(self, x: Array, weight: float) -> tuple[Array, float]:
        """Return Newton's step [2 N] and twice its predicted decrease.

        Negative curvature is modified until the step is a descent direction.
        """
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
        """Sum up the cells' Hessians, [2 N, 2 N]; unknowns that are not free stay constant."""
        count = len(self.free)
        places = (self.uses[:, :, None] * count + self.uses[:, None, :]).ravel()
        matrix: Array = np.bincount(places, bent.ravel(), minlength=count**2).astype(np.float64)
        matrix = matrix.reshape(count, count)
        matrix[~self.free], matrix[:, ~self.free] = 0.0, 0.0
        matrix[np.diag_indices(count)] += np.where(self.free, 1e-9, 1.0)
        return matrix


def _solve_banded(matrix: Array, right: Array) -> Array | None:
    """Solve a banded system with entries within BLOCK of the diagonal; None if it is not positive definite."""
    starts = range(0, len(right), BLOCK)
    parts = [slice(at, min(at + BLOCK, len(right))) for at in starts]
    pivots, sides = [matrix[parts[0], parts[0]]], [right[parts[0]]]
    try:
        for before, here in pairwise(parts):
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


@np.errstate(all="ignore")
def descend(problem: Problem, x: Array, weight: float) -> Array:
    """Minimise with Newton's method at one weight of the barriers, from a feasible point x [2 N]."""
    value = problem.total(x, weight)
    for _ in range(ROUNDS):
        step, promised = problem.newton(x, weight)
        share = 1.0
        while (
            not (then := problem.total(x + share * step, weight))
            < value - ENOUGH * share * promised
        ):
            share /= 2
            if share < SHORTEST:
                return x
        x, gained, value = x + share * step, value - then, then
        if gained < weight:
            break
    return x
