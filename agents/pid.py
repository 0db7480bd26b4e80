"""A hand-written driver: find the road in the picture, steer and brake by feedback. Nothing is learned.

Each decision goes through four steps:

1. `_View` turns the picture into a map of what lies ahead, seen from the car: x to the right, y forward.
2. `_Odometer` compares this map with the last one: how far the car moved, how much it turned.
3. `_trace` walks up the road from the car; `_racing_line` bends the walk into a line worth driving.
4. A PID loop steers towards the line, and a second loop holds the speed that its sharpest bend allows.

Lengths are in the simulator's units: the road is 13.3 wide, and the picture shows 37 ahead of the car.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

FRAME_SKIP = 2
WORLD = {"height": 84, "width": 96, "stack": 1, "frame_skip": FRAME_SKIP, "actions": ""}
DT = FRAME_SKIP / 50  # seconds per decision

# The camera: pixels per unit at full zoom, the car's pixel, and the zoom-in of the first second.
PIXELS_X, PIXELS_Y, CAR_COLUMN, CAR_ROW = 1.5552, 1.944, 47.5, 71.5
FIRST_ZOOM = 0.6 / 16.2

# The map: texels per unit and what it covers.
TEXELS, AHEAD, BEHIND, ASIDE = 1.5, 37.0, 6.0, 31.0
ROWS, COLUMNS = round((AHEAD + BEHIND) * TEXELS), round(2 * ASIDE * TEXELS)
ROAD_GREY = (90, 130)
HALF_ROAD = 6.0  # from its middle to its edge, a little less than true: wider places are two roads

STEP = 2.0  # units between points of the traced road
POINTS = 20
REACH = np.array([[STEP], [2 * STEP]])
TURNS = np.linspace(-0.45, 0.45, 13)  # radians that the walk may turn in a step


@dataclass(frozen=True)
class PidGains:
    """What can be tuned. Steering and pedals are fractions of full lock and full travel."""

    kp: float = 12.0
    """Proportional: full lock per (unit of lateral error per square unit of look-ahead), unit."""
    ki: float = 2.0
    """Integral: as kp, per second."""
    kd: float = 0.6
    """Derivative: as kp, times a second."""
    integral_limit: float = 0.1
    """Anti-windup: most steering that the integral may hold, full locks."""
    look_ahead: float = 7.0
    """Distance of the near target at standstill, units."""
    look_ahead_time: float = 0.10
    """Added distance of the near target per speed, seconds."""
    far_share: float = 0.3
    """Share of the far target, at twice the distance, in the error."""
    centring: float = 0.02
    """How much the line keeps to the middle of the road rather than straight, 1/unit^2."""
    margin: float = 3.0
    """Least distance of the line from the road's edge, units."""
    side_acceleration: float = 80.0
    """What the tyres hold in a bend, units/s^2."""
    braking: float = 50.0
    """Deceleration that the speed target counts on, units/s^2."""
    top_speed: float = 80.0
    """Highest speed target, units/s."""
    blind_speed: float = 45.0
    """Speed at which to reach the end of what is seen, units/s."""
    gas: float = 0.08
    """Gas per speed too low, s/unit."""
    brake: float = 0.04
    """Brake per speed too high, s/unit."""
    gas_when_steering: float = 1.0
    """Gas taken away at full lock: gas in a bend spins the car, fraction."""

    def __post_init__(self) -> None:
        """Refuse gains that cannot drive.

        Raises:
            ValueError: Naming the gain.
        """
        for field in fields(self):
            value = getattr(self, field.name)
            if not math.isfinite(value) or value < 0:
                raise ValueError(f"{field.name} must be a number of at least 0, got {value}")
        for name in ("look_ahead", "side_acceleration", "top_speed", "centring"):
            if getattr(self, name) == 0:
                raise ValueError(f"{name} must be above 0")


@dataclass
class Sight:
    """What the driver made of a picture, for drawing; points are (x, y), float64 [n, 2]."""

    road: Array
    line: Array
    targets: Array
    error: float = 0.0
    speed: float = 0.0
    target_speed: float = 0.0


class PidPolicy:
    """Drives every car of a batch with its own memory."""

    def __init__(self, gains: PidGains | None = None) -> None:
        self.gains = gains or PidGains()
        self.drivers: list[PidDriver] = []

    def reset(self) -> None:
        """An episode begins: forget everything."""
        self.drivers = []

    def act(self, observations: NDArray[np.uint8]) -> Array:
        """Controls (steer, gas, brake) for pictures uint8 [N, K, 84, 96], float64 [N, 3]."""
        while len(self.drivers) < len(observations):
            self.drivers.append(PidDriver(self.gains))
        pairs = zip(self.drivers, observations, strict=True)
        return np.array([driver.control(stack[-1]) for driver, stack in pairs])


class PidDriver:
    """One car's memory and loops."""

    def __init__(self, gains: PidGains) -> None:
        self.gains = gains
        self._decisions = 0
        self._odometer = Odometer()
        self._integral = 0.0
        self._last_error = 0.0
        self._place = Place()
        self.sight = Sight(*np.zeros((3, 1, 2)))

    def control(self, picture: NDArray[np.uint8]) -> Array:
        """(steer, gas, brake) after a picture, uint8 [84, 96]."""
        g = self.gains
        time = 0.02 + DT * self._decisions
        view = flatten(picture, time)
        self._odometer.update(view, time > 0.3)
        speed = self._odometer.speed
        self._place.move(self._odometer.motion)
        road = trace(view, self._place)
        line = racing_line(road, g)
        error, targets = self._error(line, speed)
        steer = self._steer(error) if time > 0.2 else 0.0
        target_speed = min(
            allowed_speed(line, g), math.sqrt(g.side_acceleration / max(abs(error), 1e-4))
        )
        self._decisions += 1
        self.sight = Sight(road, line, targets, error, speed, target_speed)
        return np.array([steer, *self._pedals(target_speed - speed, steer)])

    def _error(self, line: Array, speed: float) -> tuple[float, Array]:
        """Lateral error at two distances, as the curvature that leads to the target, 1/unit."""
        g = self.gains
        near = g.look_ahead + g.look_ahead_time * speed
        reach = np.array([near, 2 * near])
        along = np.hypot(*line.T)
        index = np.minimum(np.searchsorted(along, reach), len(line) - 1)
        targets = line[index]
        distance = np.maximum(np.hypot(*targets.T), 1.0)
        aside = np.where(targets[:, 1] > 0, targets[:, 0], np.copysign(distance, targets[:, 0]))
        bend = 2 * aside / distance**2
        return float((1 - g.far_share) * bend[0] + g.far_share * bend[1]), targets

    def _steer(self, error: float) -> float:
        """The PID loop."""
        g = self.gains
        rate = (error - self._last_error) / DT if self._decisions else 0.0
        self._last_error = error
        wanted = g.kp * error + self._integral + g.kd * rate
        steer = min(max(wanted, -1.0), 1.0)
        if steer == wanted:  # anti-windup: gather nothing while the wheel is at its stop
            held = self._integral + g.ki * error * DT
            self._integral = min(max(held, -g.integral_limit), g.integral_limit)
        return steer

    def _pedals(self, missing: float, steer: float) -> tuple[float, float]:
        """The speed loop: gas and brake."""
        g = self.gains
        gas = min(g.gas * missing, 1.0) * max(1 - g.gas_when_steering * abs(steer), 0.0)
        return max(gas, 0.0), min(max(-g.brake * missing, 0.0), 0.8)


def flatten(picture: NDArray[np.uint8], time: float) -> NDArray[np.uint8]:
    """Undo the zoom and the picture's unequal scales: a map uint8 [ROWS, COLUMNS] with the car always at one place."""
    zoom = FIRST_ZOOM + (1 - FIRST_ZOOM) * min(time, 1.0)
    across, down = PIXELS_X * zoom / TEXELS, PIXELS_Y * zoom / TEXELS
    x0, y0 = CAR_COLUMN - (COLUMNS / 2 - 0.5) * across, CAR_ROW - (AHEAD * TEXELS - 0.5) * down
    to_picture = np.array([[across, 0, x0], [0, down, y0]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(picture, to_picture, (COLUMNS, ROWS), flags=flags), np.uint8)


_X = (np.arange(COLUMNS) - COLUMNS / 2 + 0.5) / TEXELS * np.ones((ROWS, 1))
_Y = (AHEAD * TEXELS - 0.5 - np.arange(ROWS)[:, None]) / TEXELS * np.ones((1, COLUMNS))
_FIXED = (
    ((np.abs(_X) > 3) | (np.abs(_Y) > 4))
    & (np.abs(_X) < ASIDE - 2)
    & (_Y < AHEAD - 2)
    & (_Y > 2 - BEHIND)
)


class Odometer:
    """Measures the motion between pictures by aligning them (Lucas and Kanade)."""

    def __init__(self) -> None:
        self._before: NDArray[np.float32] | None = None
        self.motion = np.zeros(
            3
        )  # right, forward (units per decision), turn to the right (radians)

    @property
    def speed(self) -> float:
        return float(self.motion[1]) / DT

    def update(self, view: NDArray[np.uint8], trust: bool) -> None:
        now = cv2.GaussianBlur(view, (0, 0), 1.0).astype(np.float32)
        if self._before is not None and trust:
            for _ in range(2):
                self.motion = self.motion + self._correction(now)
        elif self._before is not None:
            self.motion[1] += 1.7 * DT  # gas fully open
        self._before = now

    def _correction(self, now: NDArray[np.float32]) -> Array:
        x, y, turn = self.motion
        cos, sin = math.cos(turn), math.sin(turn)
        # where a texel of now was before: rotate by the turn, then shift by the motion
        cx, cy = COLUMNS / 2 - 0.5, AHEAD * TEXELS - 0.5
        a = np.array([[cos, -sin, 0.0], [sin, cos, 0.0]])
        a[:, 2] = [cx + x * TEXELS, cy - y * TEXELS] - a[:, :2] @ [cx, cy]
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        was = cv2.warpAffine(
            self._before, a, (COLUMNS, ROWS), flags=flags, borderMode=cv2.BORDER_REPLICATE
        )
        gx = cv2.Sobel(was, cv2.CV_32F, 1, 0, scale=TEXELS / 8)[_FIXED]
        gy = -cv2.Sobel(was, cv2.CV_32F, 0, 1, scale=TEXELS / 8)[_FIXED]
        rest = np.clip((now - was)[_FIXED], -30, 30)
        xs, ys = _X[_FIXED], _Y[_FIXED]
        j = np.stack([gx, gy, gx * ys - gy * xs])
        h = j @ j.T + np.diag([3e3, 3e2, 3e5])
        return np.linalg.solve(h, j @ rest)


class Place:
    """A point of the road beside the car and the road's direction there: what remains when it goes out of sight."""

    def __init__(self) -> None:
        self.x, self.y, self.heading = 0.0, 0.0, 0.0

    def move(self, motion: Array) -> None:
        """The car moved: the same place as it is seen from there."""
        x, y, turn = self.x - motion[0], self.y - motion[1], motion[2]
        cos, sin = math.cos(turn), math.sin(turn)
        self.x, self.y = x * cos - y * sin, x * sin + y * cos
        self.heading = math.remainder(self.heading - turn, 2 * math.pi)


CX, CY = COLUMNS / 2 - 0.5, AHEAD * TEXELS - 0.5
ACROSS = np.arange(-7.0, 7.5, 1.0)


def trace(view: NDArray[np.uint8], place: Place) -> Array:
    """Walk along the middle of the road: points [n, 2] from the car on, and the road's heading at the car."""
    road = cv2.inRange(view, ROAD_GREY[0], ROAD_GREY[1])
    rows, left, right = (
        slice(round(CY - 4 * TEXELS), round(CY + 4 * TEXELS)),
        round(CX - 3),
        round(CX + 3),
    )
    road[rows, left : right + 1] = (road[rows, left] | road[rows, right])[:, None]
    inside = np.minimum(cv2.distanceTransform(road, cv2.DIST_L2, 5) / TEXELS, HALF_ROAD)
    worth = _sample(
        inside,
        place.x + ACROSS * math.cos(place.heading),
        place.y - ACROSS * math.sin(place.heading),
    )
    best = int(np.argmax(worth - 0.02 * ACROSS**2))
    x, y, heading = place.x, place.y, place.heading
    if worth[best] > 1:
        x, y = x + ACROSS[best] * math.cos(heading), y - ACROSS[best] * math.sin(heading)
    points = [(x, y)]
    for _ in range(POINTS):
        turns = heading + TURNS
        xs, ys = x + REACH * np.sin(turns), y + REACH * np.cos(turns)
        worth = _sample(inside, xs, ys)
        best = int(np.argmax(worth.sum(axis=0) - 3.0 * TURNS**2))
        if worth[0, best] < 0.8:
            break
        x, y, heading = float(xs[0, best]), float(ys[0, best]), float(turns[best])
        points.append((x, y))
    path = np.array(points)
    if len(path) < 3:
        return path
    along = np.gradient(path, axis=0)
    headings = np.arctan2(along[:, 0], along[:, 1])
    passed = (path * along).sum(axis=1)[:6] < 0
    last = max(int(np.argmin(passed)) - 1, 0)
    turn = math.remainder(headings[max(last, 1)] - place.heading, 2 * math.pi)
    place.x, place.y = path[last]
    place.heading += min(max(turn, -0.3), 0.3)
    return path[last:]


def _sample(image: NDArray[np.float32], x: Array, y: Array) -> Array:
    columns, rows = np.rint(CX + x * TEXELS).astype(int), np.rint(CY - y * TEXELS).astype(int)
    ok = (columns >= 0) & (columns < COLUMNS) & (rows >= 0) & (rows < ROWS)
    return np.where(ok, image[rows.clip(0, ROWS - 1), columns.clip(0, COLUMNS - 1)], -1.0)


def racing_line(road: Array, g: PidGains) -> Array:
    """The least bent line within the road, starting at the car, [n, 2]."""
    n = len(road)
    if n < 4:
        return road
    along = np.gradient(road, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    normal = np.stack([along[:, 1], -along[:, 0]], axis=1)
    bend = np.diff(np.eye(n), 2, axis=0)
    b = np.concatenate([bend * normal[:, 0], bend * normal[:, 1]])
    r = np.concatenate([bend @ road[:, 0], bend @ road[:, 1]])
    offset = np.linalg.solve(b.T @ b + g.centring * np.eye(n), -b.T @ r)
    limit = max(6.67 - g.margin, 0.0)
    return road + offset.clip(-limit, limit)[:, None] * normal


def allowed_speed(line: Array, g: PidGains) -> float:
    """The highest speed from which every bend in sight can still be braked for."""
    n = len(line)
    away = STEP * np.arange(1, n + 1)
    limit = np.full(n, g.top_speed)
    if n >= 5:
        a, b, c = line[:-4], line[2:-2], line[4:]
        ab, bc, ac = b - a, c - b, c - a
        area2 = np.abs(ab[:, 0] * bc[:, 1] - ab[:, 1] * bc[:, 0])
        product = (
            np.linalg.norm(ab, axis=1) * np.linalg.norm(bc, axis=1) * np.linalg.norm(ac, axis=1)
        )
        bend = 2 * area2 / np.maximum(product, 1e-6)
        limit[2:-2] = np.minimum(limit[2:-2], np.sqrt(g.side_acceleration / np.maximum(bend, 1e-4)))
    limit[-1] = g.blind_speed
    return float(min(np.sqrt(limit**2 + 2 * g.braking * away).min(), g.top_speed))
