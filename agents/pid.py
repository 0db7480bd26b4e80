"""A hand-written driver: it finds the road in the image, and steers and brakes by feedback, without learning.

Each decision takes four steps:

1. see: `pid_sight` measures how the car moved and traces the middle of the road ahead;
2. plan: `racing_line` bends the middle of the road into the straightest line within it;
3. steer: a PID loop on the line's lateral error, at two distances ahead;
4. pedals: a second loop holds the highest speed from which every bend in sight can still be taken.

Lengths are in the simulator's units: the road is 13.3 wide.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.pid_sight import STEP, Array, Map, Odometer, RoadWalker, flatten

FRAME_SKIP = 2
WORLD: dict[str, Any] = {
    "height": 96,
    "width": 96,
    "stack": 1,
    "frame_skip": FRAME_SKIP,
    "actions": "",
}
ROAD_ROWS = 84  # rows of an image above the gauges
DT = FRAME_SKIP / 50  # seconds per decision

REFERENCE = 10.0  # units ahead that the gains refer to
FAR = 2.0  # distance of the far target, near targets
HALF_WIDTH = 6.67  # of the road, units
FIRST_IMAGE_SECONDS = 0.02
HANDS_OFF_SECONDS, BLIND_SECONDS = 0.2, 0.3  # while the camera zooms in
FULL_GAS = 44.0  # acceleration with full gas, units/s^2, to bridge the blind time
HARDEST_BRAKE = 0.8  # 0.9 and more would lock the wheels


@dataclass(frozen=True)
class PidGains:
    """The gains. Steering and pedals are fractions of full lock and full travel."""

    kp: float = 0.24
    """Proportional: steering per lateral error, 1/unit."""
    ki: float = 0.04
    """Integral: steering per lateral error and time, 1/(unit s)."""
    kd: float = 0.012
    """Derivative: steering per rate of the lateral error, s/unit."""
    integral_limit: float = 0.1
    """Anti-windup: limit of the steering by the integral, fraction."""
    look_ahead: float = 7.0
    """Distance of the near target at standstill, units."""
    look_ahead_time: float = 0.14
    """Increase of this distance with speed, s."""
    far_share: float = 0.3
    """Share of the far target in the error, fraction."""
    centring: float = 0.005
    """Weight of the distance from the middle of the road, relative to curvature, 1/unit^2."""
    margin: float = 2.5
    """Least distance of the line from the edge of the road, units."""
    grip: float = 140.0
    """Lateral acceleration that the tyres can hold in a bend, units/s^2."""
    braking: float = 60.0
    """Deceleration that the plan assumes, units/s^2."""
    top_speed: float = 95.0
    """Maximum target speed, units/s."""
    blind_speed: float = 65.0
    """Target speed where the road goes out of sight, units/s."""
    gas: float = 0.08
    """Gas per speed below the target, s/unit."""
    brake: float = 0.04
    """Brake per speed above the target, s/unit."""
    gas_when_steering: float = 1.0
    """Reduction of the gas at full lock, because gas in a bend spins the car, fraction."""
    slide: float = 200.0
    """Sideways acceleration (speed times turn rate) at which no gas is left, units/s^2."""

    def check(self) -> None:
        """Check the gains.

        Raises:
            ValueError: If a gain is invalid; the message names it.
        """
        for field in fields(self):
            value = getattr(self, field.name)
            if not math.isfinite(value) or value < 0:
                raise ValueError(f"{field.name} must be a number of at least 0, got {value}")
        for name in ("look_ahead", "centring", "grip", "top_speed", "slide"):
            if getattr(self, name) == 0:
                raise ValueError(f"{name} must be above 0")
        if self.far_share > 1:
            raise ValueError(f"far_share must be at most 1, got {self.far_share}")
        if self.margin >= HALF_WIDTH:
            raise ValueError(f"margin must be below {HALF_WIDTH}, half the road, got {self.margin}")


@dataclass(frozen=True)
class Thought:
    """The driver's interpretation of an image. Points are (x to the right, y forward) of the car, units."""

    view: Map  # map of the surroundings
    road: Array  # middle of the road, [n, 2]
    line: Array  # to drive, [n, 2]
    targets: Array  # near and far, [2, 2]
    error: float  # lateral, units, positive if the line is to the right
    speed: float  # measured, units/s
    target_speed: float  # units/s


class Pid:
    """The textbook controller: proportional, integral and derivative."""

    def __init__(self, kp: float, ki: float, kd: float, integral_limit: float) -> None:
        self._kp, self._ki, self._kd, self._limit = kp, ki, kd, integral_limit
        self._integral = 0.0
        self._last_error: float | None = None

    def output(self, error: float) -> float:
        """The control after an error, -1 to 1."""
        rate = 0.0 if self._last_error is None else (error - self._last_error) / DT
        self._last_error = error
        wanted = self._kp * error + self._integral + self._kd * rate
        output = min(max(wanted, -1.0), 1.0)
        if output == wanted:  # anti-windup: at full lock, do not integrate further
            grown = self._integral + self._ki * error * DT
            self._integral = min(max(grown, -self._limit), self._limit)
        return output


class PidDriver:
    """Drives one car from start to finish."""

    def __init__(self, gains: PidGains) -> None:
        self.gains = gains
        self.thought: Thought | None = None
        self._seconds = FIRST_IMAGE_SECONDS
        self._odometer = Odometer()
        self._walker = RoadWalker()
        self._pid = Pid(gains.kp, gains.ki, gains.kd, gains.integral_limit)

    def control(self, image: NDArray[np.uint8]) -> Array:
        """Choose (steer, gas, brake), float64 [3], from an image, uint8 [84, 96]."""
        view = flatten(image, self._seconds)
        blind = self._seconds < BLIND_SECONDS
        guess = np.array([0.0, FULL_GAS * self._seconds * DT, 0.0])
        self._odometer.update(view, guess if blind else None)
        self._walker.move(self._odometer.motion)
        road = self._walker.walk(view)

        line = racing_line(road, self.gains)
        speed = float(self._odometer.motion[1]) / DT
        targets = self._targets(line, speed)
        error = self._lateral_error(targets)
        target_speed = min(speed_for_line(line, self.gains), speed_for_error(error, self.gains))
        self.thought = Thought(view, road, line, targets, error, speed, target_speed)

        steer = 0.0 if self._seconds < HANDS_OFF_SECONDS else self._pid.output(error)
        self._seconds += DT
        sideways = speed * float(self._odometer.motion[2]) / DT
        return np.array([steer, *self._pedals(target_speed - speed, steer, sideways)])

    def _targets(self, line: Array, speed: float) -> Array:
        """The points of the line at the near and the far distance, [2, 2]."""
        near = self.gains.look_ahead + self.gains.look_ahead_time * speed
        index = np.searchsorted(np.hypot(line[:, 0], line[:, 1]), [near, FAR * near])
        return np.asarray(line[np.minimum(index, len(line) - 1)])

    def _lateral_error(self, targets: Array) -> float:
        """Lateral error of both targets, each as it would be at REFERENCE on the arc that leads to it."""
        distance = np.maximum(np.hypot(targets[:, 0], targets[:, 1]), 1.0)
        aside = np.where(
            targets[:, 1] > 0, targets[:, 0], np.copysign(distance, targets[:, 0])
        )  # a target behind the car gets the largest error
        near, far = aside * (REFERENCE / distance) ** 2
        return float((1 - self.gains.far_share) * near + self.gains.far_share * far)

    def _pedals(self, missing: float, steer: float, sideways: float) -> tuple[float, float]:
        """The speed loop: compute gas and brake from target speed minus speed."""
        g = self.gains
        share = max(1 - g.gas_when_steering * abs(steer), 0.0)
        share *= math.sqrt(max(1 - (sideways / g.slide) ** 2, 0.0))  # the tyres' friction circle
        gas = share * min(max(g.gas * missing, 0.0), 1.0)
        return gas, min(max(-g.brake * missing, 0.0), HARDEST_BRAKE)


class PidPolicy:
    """A `PidDriver` for every car of a batch.

    Raises:
        ValueError: If a gain is invalid; the message names it.
    """

    def __init__(self, gains: PidGains | None = None) -> None:
        self.gains = gains or PidGains()
        self.gains.check()
        self.drivers: list[PidDriver] = []

    def reset(self) -> None:
        """Reset all drivers for a new episode."""
        self.drivers = []

    def act(self, observations: NDArray[np.uint8]) -> Array:
        """Choose controls (steer, gas, brake), float64 [N, 3], from observations, uint8 [N, K, 96, 96]."""
        if not self.drivers:
            self.drivers = [PidDriver(self.gains) for _ in observations]
        cars = zip(self.drivers, observations, strict=True)
        return np.array([driver.control(stack[-1, :ROAD_ROWS]) for driver, stack in cars])


def racing_line(road: Array, gains: PidGains) -> Array:
    """Compute the straightest line within the road, [n, 2], by least squares over offsets from the middle."""
    n = len(road)
    if n < 4:
        return road
    along = np.gradient(road, axis=0)
    along /= np.hypot(along[:, 0], along[:, 1])[:, None]
    right = np.stack([along[:, 1], -along[:, 0]], axis=1)
    second = np.diff(np.eye(n), 2, axis=0)  # second differences, [n - 2, n]
    offset_bends = np.concatenate([second * right[:, 0], second * right[:, 1]])
    road_bends = np.concatenate([second @ road[:, 0], second @ road[:, 1]])
    normal = offset_bends.T @ offset_bends + gains.centring * np.eye(n)
    offset = np.linalg.solve(normal, -offset_bends.T @ road_bends)
    limit = HALF_WIDTH - gains.margin
    return np.asarray(road + offset.clip(-limit, limit)[:, None] * right)


def speed_for_line(line: Array, gains: PidGains) -> float:
    """Compute the highest speed from which the car can still brake for every bend of the line, units/s."""
    limits = np.full(len(line), gains.top_speed)
    if len(line) >= 5:
        a, b, c = line[:-4], line[2:-2], line[4:]
        (ux, uy), (vx, vy), (wx, wy) = (b - a).T, (c - b).T, (c - a).T
        sides = np.hypot(ux, uy) * np.hypot(vx, vy) * np.hypot(wx, wy)
        curvature = 2 * np.abs(ux * vy - uy * vx) / np.maximum(sides, 1e-6)  # of the circle, 1/unit
        limits[2:-2] = np.sqrt(gains.grip / np.maximum(curvature, 1e-4))
    limits[-1] = gains.blind_speed
    away = STEP * np.arange(1, len(line) + 1)
    return float(min(np.sqrt(limits**2 + 2 * gains.braking * away).min(), gains.top_speed))


def speed_for_error(error: float, gains: PidGains) -> float:
    """The highest speed on the arc that corrects a lateral error, units/s."""
    curvature = 2 * abs(error) / REFERENCE**2
    return math.sqrt(gains.grip / max(curvature, 1e-4))
