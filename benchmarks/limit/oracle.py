"""The oracle: a driver that knows the true state of the car, the whole road, and the line to follow.

It decides at every frame. It steers by the curvature of the line a moment ahead, corrected for the car's distance from
the line, its direction of motion and its yaw rate. For gas and brake, the planned acceleration, corrected for the speed
error, is converted to the wheel slip that gives this force, and that to the gas or brake that gives this slip in the
same frame.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium.envs.box2d.car_dynamics import (
    ENGINE_POWER,
    FRICTION_LIMIT,
    SIZE,
    WHEEL_MOMENT_OF_INERTIA,
    WHEEL_R,
)
from numpy.typing import NDArray

from benchmarks.limit.car import FRAME, GAS_OFFSET, SLIP_STIFFNESS, body
from benchmarks.limit.line import Line
from racing.simulator import Simulator

Array = NDArray[np.float64]

FINE = 0.5  # units between two points of the plan
BRAKING = 15.0  # rad/s by which full brakes slow a wheel's spin per frame
STEERS = 0.4  # largest angle of the front wheels, radians
CRAWL = 3.0  # units/s; below it, the direction of motion is not meaningful
DRIVEN = 2.5  # the rear wheels push the car and spin up the front wheels
HARD_BRAKING = -20.0  # units/s²
FULL_GAIN = 40.0  # units/s², acceleration with full gas
LOST = 12.0  # units from the line at which the drive is given up
HARDEST = 0.89  # brake; from 0.9 on, the wheels lock
WHEELBASE = float(np.ptp(body().wheels[..., 1].mean(axis=1)))
RADIUS = WHEEL_R * SIZE
FULL_SLIP = FRICTION_LIMIT / SLIP_STIFFNESS  # units/s


@dataclass(frozen=True)
class Style:
    """Parameters of the oracle's controller.

    Attributes:
        ahead: Look-ahead of the line's curvature, seconds.
        beside: Curvature per unit of distance from the line, 1/units².
        askew: Curvature per radian between the direction of motion and the line, 1/units.
        damping: Gain of the yaw rate's error.
        haste: Acceleration per unit of speed error, 1/s.
        slip: Largest longitudinal slip of the wheels, relative to the slip with the largest force.
        front: Largest lateral slip of the front wheels, likewise.
        early: Look-ahead of the plan's acceleration, seconds.
    """

    ahead: float = 0.06
    beside: float = 0.0075
    askew: float = 0.12
    damping: float = 2.0
    haste: float = 5.5
    slip: float = 1.6
    front: float = 1.6
    early: float = 0.06


class Plan:
    """A line with speeds, sampled every FINE units along it."""

    def __init__(self, line: Line) -> None:
        points = line.points
        far = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
        ends = np.concatenate([[0.0], (far[1:] + far[:-1]) / 2, far[-1:]])  # ends of the cells
        self.at = np.arange(0.0, far[-1], FINE)
        self.xy = np.stack([_smooth(self.at, far, points[:, k]) for k in (0, 1)], axis=1)
        way = np.gradient(self.xy, FINE, axis=0)
        self.course = np.unwrap(np.arctan2(way[:, 1], way[:, 0]))
        self.curvature = np.interp(self.at, far, line.curvature)
        speed = line.profile.speed[:, 0]
        squared = np.interp(self.at, ends, speed**2)
        self.speed = np.sqrt(squared)
        self.gain = np.gradient(squared, FINE) / 2  # acceleration
        self.last = len(self.at) - 1

    def nearest(self, point: Sequence[float], index: int) -> int:
        """Return the index of the nearest sample to a point, from `index` up to 12 units beyond."""
        part = self.xy[index : index + 25]
        return index + int(((part - (point[0], point[1])) ** 2).sum(axis=1).argmin())


def _smooth(at: Array, far: Array, values: Array) -> Array:
    """Interpolate values with a Catmull-Rom spline."""
    slope = np.gradient(values, far)
    i = np.clip(np.searchsorted(far, at, side="right") - 1, 0, len(far) - 2)
    h = far[i + 1] - far[i]
    t = (at - far[i]) / h
    here, there = values[i], values[i + 1]
    bend = (1 - t) ** 2 * (here * (1 + 2 * t) + h * t * slope[i])
    return np.asarray(bend + t**2 * (there * (3 - 2 * t) + h * (t - 1) * slope[i + 1]))


class Oracle:
    """Follows a plan in a simulator that has just been reset."""

    def __init__(self, simulator: Simulator, plan: Plan, style: Style) -> None:
        self.simulator, self.plan, self.style = simulator, plan, style
        self.index = 0
        self.beside, self.lost = 0.0, False

    def control(self) -> tuple[float, float, float]:
        """Return (steer, gas, brake) for this frame."""
        hull = self.simulator.car.hull
        speed = math.hypot(*hull.linearVelocity)
        self.index = self.plan.nearest(hull.worldCenter, self.index)
        return -self._steering(hull, speed), *self._pedals(self._acceleration(speed))

    def _steering(self, hull: Any, speed: float) -> float:
        """Return the angle of the front wheels in radians, positive to the left."""
        plan, style, i = self.plan, self.style, self.index
        (vx, vy), (x, y) = hull.linearVelocity, hull.worldCenter
        course = plan.course[i]
        beside = (y - plan.xy[i, 1]) * math.cos(course) - (x - plan.xy[i, 0]) * math.sin(course)
        self.beside, self.lost = beside, abs(beside) > LOST
        heading = math.atan2(vy, vx) if speed > CRAWL else hull.angle + math.pi / 2
        askew = math.remainder(heading - course, 2 * math.pi)
        ahead = plan.curvature[self._place_in(style.ahead, speed)]
        curvature = ahead - style.beside * beside - style.askew * askew
        if speed > CRAWL:
            curvature += style.damping * (curvature - hull.angularVelocity / speed)
        steer = math.atan(WHEELBASE * curvature)
        if speed > CRAWL:  # more slip would not increase the force
            rolls = _askew(self.simulator.car.wheels[0], hull)
            most = style.front * FULL_SLIP / speed
            steer = max(rolls - most, min(rolls + most, steer))
        return max(-STEERS, min(STEERS, steer))

    def _acceleration(self, speed: float) -> float:
        """Return the planned acceleration plus the correction of the speed error, units/s²."""
        plan, soon = self.plan, self._place_in(FRAME, speed, 1)
        gain = plan.gain[soon]
        if gain > HARD_BRAKING:  # the gas responds only after some frames
            gain = max(gain, min(plan.gain[self._place_in(self.style.early, speed)], FULL_GAIN))
        return float(gain + self.style.haste * (plan.speed[soon] - speed))

    def _place_in(self, seconds: float, speed: float, more: int = 0) -> int:
        return min(self.index + int(speed * seconds / FINE) + more, self.plan.last)

    def _pedals(self, wanted: float) -> tuple[float, float]:
        """Return (gas, brake) for an acceleration in units/s²."""
        car = self.simulator.car
        force = wanted * body().mass
        if force >= 0:
            rear = car.wheels[2:]
            slip = min(DRIVEN * force / 2 / SLIP_STIFFNESS, self.style.slip * FULL_SLIP)
            spin = sum(w.omega for w in rear) / 2
            lacks = (sum(_rolling(w) for w in rear) / 2 + slip) / RADIUS - spin
            gas = lacks * (abs(spin) + GAS_OFFSET) * WHEEL_MOMENT_OF_INERTIA / ENGINE_POWER / FRAME
            return max(0.0, min(1.0, gas)), 0.0
        slip = min(-force / 4 / SLIP_STIFFNESS, self.style.slip * FULL_SLIP)
        spin = sum(w.omega for w in car.wheels) / 4
        excess = spin - (sum(_rolling(w) for w in car.wheels) / 4 - slip) / RADIUS
        return 0.0, max(0.0, min(HARDEST, excess / BRAKING))


def _askew(wheel: Any, hull: Any) -> float:
    """Return the direction in which a wheel moves relative to the car's heading, radians, positive to the left."""
    right, ahead = hull.GetWorldVector((1, 0)), hull.GetWorldVector((0, 1))
    vx, vy = wheel.linearVelocity
    return math.atan2(-(right[0] * vx + right[1] * vy), ahead[0] * vx + ahead[1] * vy)


def _rolling(wheel: Any) -> float:
    """Return the speed of the road below a wheel along its rolling direction, units/s."""
    ahead = wheel.GetWorldVector((0, 1))
    return float(ahead[0] * wheel.linearVelocity[0] + ahead[1] * wheel.linearVelocity[1])


@dataclass(frozen=True)
class Drive:
    """The result of following a plan.

    Attributes:
        lap: Whether every tile was touched.
        score: Sum of the simulator's own rewards.
        frames: Number of frames driven.
        tiles: Number of tiles touched.
        moments: x, y, speed, position along the plan, and distance to the left of it after every frame, units and
            units/s, float64 [frames, 5].
    """

    lap: bool
    score: float
    frames: int
    tiles: int
    moments: Array


def follow(simulator: Simulator, track: int, plan: Plan, style: Style) -> Drive:
    """Drive a track; the drive is given up when a tile is missed or the car is too far from the line."""
    simulator.start(track)
    oracle = Oracle(simulator, plan, style)
    moments, over, score = [], False, 0.0
    while not over and simulator.frames < 1000 and simulator.missed == 0 and not oracle.lost:
        reward, over = simulator.drive(oracle.control())
        score += reward
        hull = simulator.car.hull
        moments.append(
            (*hull.position, hull.linearVelocity.length, oracle.index * FINE, oracle.beside)
        )
    return Drive(
        simulator.lap_done,
        score,
        simulator.frames,
        simulator.tile_visited_count,
        np.array(moments),
    )
