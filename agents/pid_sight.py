"""Image processing for the hand-written driver: it measures the car's motion and traces the road.

Everything is seen from the car, x to the right and y forward, in the simulator's units: the road is 13.3 wide
and the image shows 37 ahead. Angles are radians to the right of straight ahead.
"""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Map = NDArray[np.uint8]

# The camera: pixels per unit at full zoom, the pixel of the car, the zoom of the first image.
PIXELS_X, PIXELS_Y, CAR_COLUMN, CAR_ROW = 1.5552, 1.944, 47.5, 71.5
FIRST_ZOOM, ZOOM_SECONDS = 0.037, 1.0

# The map: texels per unit, what it covers, the texel of the car.
TEXELS, AHEAD, BEHIND, ASIDE = 1.5, 37.0, 6.0, 31.0
ROWS, COLUMNS = round((AHEAD + BEHIND) * TEXELS), round(2 * ASIDE * TEXELS)
MAP_ROW, MAP_COLUMN = AHEAD * TEXELS - 0.5, ASIDE * TEXELS - 0.5

ROAD_GREYS = (90, 130)
GROUND_GREYS = (95, 180)  # road and grass
HALF_ROAD = 6.0  # units from the middle to the edge, a little less than the true value: anything wider is two roads
LEAST_ROOM = 0.8  # units to the edge: with less, there is no road

STEP = 2.0  # units between points of the traced road
POINTS = 20
DIRECTIONS = 96  # of a walk, in a full turn
TURNS = np.arange(-6, 7)  # directions that a step may turn by
TURN_COST = 0.013 * TURNS**2
NEAR = np.arange(-3.0, 3.5)
ACROSS = np.arange(-7.0, 7.5, 1.0)  # where to look for the middle of the road, units


def flatten(image: Map, seconds: float) -> Map:
    """Undo the camera's first zoom and its unequal scales.

    Args:
        image: uint8 [84, 96].
        seconds: Time since the start, s.

    Returns:
        A map of the car's surroundings, uint8 [ROWS, COLUMNS].
    """
    zoom = FIRST_ZOOM + (1 - FIRST_ZOOM) * min(seconds / ZOOM_SECONDS, 1.0)
    across, down = PIXELS_X * zoom / TEXELS, PIXELS_Y * zoom / TEXELS
    to_image = np.array(
        [[across, 0, CAR_COLUMN - MAP_COLUMN * across], [0, down, CAR_ROW - MAP_ROW * down]]
    )
    return np.asarray(_warped(image, to_image), np.uint8)


def _warped(image: NDArray[Any], to_image: Array) -> NDArray[Any]:
    """Resample an image as a map; outside the image, the values at its border continue."""
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    size = (COLUMNS, ROWS)
    return cv2.warpAffine(image, to_image, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)


class Odometer:
    """Measures motion by aligning successive maps (the method of Lucas and Kanade).

    Attributes:
        motion: Motion since the previous map: right and forward (units), turn (radians), float64 [3].
    """

    # Rows and columns that are compared: without the border and the car, which does not move in the image.
    _WINDOW = (slice(3, round((AHEAD - 4) * TEXELS)), slice(3, COLUMNS - 3))
    # Regularisation of each component of the motion, where the ground has no texture.
    _PRIOR = np.diag([3e3, 3e2, 3e5])
    # The largest change of each component between two decisions.
    _MOST_CHANGE = np.array([0.6, 0.3, 0.12])

    def __init__(self) -> None:
        self.motion = np.zeros(3)
        self._before: NDArray[np.float32] | None = None
        rows, columns = np.mgrid[self._WINDOW]
        self._x, self._y = (columns - MAP_COLUMN) / TEXELS, (MAP_ROW - rows) / TEXELS

    def update(self, view: Map, guess: Array | None = None) -> None:
        """Process the next map; while the image is too small to measure the motion, it is guessed."""
        # The stripes of the kerbs look alike and could be mismatched, so they are removed.
        now = np.asarray(cv2.GaussianBlur(view.clip(*GROUND_GREYS), (0, 0), 1.0), np.float32)
        if guess is not None:
            self.motion = guess
        elif self._before is not None:
            last = self.motion
            for _ in range(2):
                moved = self.motion + self._correction(self._before, now)
                self.motion = moved.clip(last - self._MOST_CHANGE, last + self._MOST_CHANGE)
        self._before = now

    def _correction(self, before: NDArray[np.float32], now: NDArray[np.float32]) -> Array:
        """Make one least-squares step: compute the change of motion that explains the remaining difference."""
        x, y, turn = self.motion
        cos, sin = math.cos(turn), math.sin(turn)
        turned = np.array([[cos, -sin], [sin, cos]])
        car = np.array([MAP_COLUMN, MAP_ROW])
        shift = car + np.array([x, -y]) * TEXELS - turned @ car
        expected = _warped(before, np.column_stack([turned, shift]))
        slope_x = cv2.Sobel(expected, cv2.CV_32F, 1, 0, scale=TEXELS / 8)[self._WINDOW]
        slope_y = -cv2.Sobel(expected, cv2.CV_32F, 0, 1, scale=TEXELS / 8)[self._WINDOW]
        rest = np.clip((now - expected)[self._WINDOW], -30, 30)
        slope_turn = slope_x * self._y - slope_y * self._x
        slopes = np.stack([slope_x, slope_y, slope_turn]).reshape(3, -1)
        fit: Array = np.linalg.solve(slopes @ slopes.T + self._PRIOR, slopes @ rest.ravel())
        return fit


class RoadWalker:
    """Traces the middle of the road, and remembers where the car left it.

    Attributes:
        place: A point of the road beside the car, (x, y).
        heading: Heading of the road there. Both are updated with the measured motion, so a road that has left
            the image is not lost, and the direction of travel is still known after a spin.
    """

    def __init__(self) -> None:
        self.place = np.zeros(2)
        self.heading = 0.0

    def move(self, motion: Array) -> None:
        """Transform the remembered place by the car's motion."""
        cos, sin = math.cos(motion[2]), math.sin(motion[2])
        self.place = np.array([[cos, -sin], [sin, cos]]) @ (self.place - motion[:2])
        self.heading = math.remainder(self.heading - motion[2], 2 * math.pi)

    def walk(self, view: Map) -> Array:
        """Return points in the middle of the road, starting beside the car, float64 [n, 2]."""
        room = room_on_road(view)
        path = self._follow(room, self._middle(room))
        if len(path) < 3:
            return path
        path, along = _centred(room, path)
        behind = ((path * along).sum(axis=1) < 0) | ((path[:, 1] < 0) & (along[:, 1] > 0))
        first = min(int(np.argmin(np.append(behind[:6], False))), len(path) - 1)
        ahead = along[max(first, 1)]
        turn = math.remainder(math.atan2(ahead[0], ahead[1]) - self.heading, 2 * math.pi)
        self.place, self.heading = path[first], self.heading + min(max(turn, -0.3), 0.3)
        return path[first:]

    def _middle(self, room: NDArray[np.float32]) -> Array:
        """Move the remembered place into the map, and across the road to its widest clearance."""
        short = 1 - BEHIND - self.place[1]
        if short > 0 and math.cos(self.heading) > 0.5:  # behind the map
            self.place = self.place + np.array([short * math.tan(self.heading), short])
        aside = ACROSS[:, None] * [math.cos(self.heading), -math.sin(self.heading)]
        found = _look_up(room, self.place + aside)
        best = int(np.argmax(found - 0.02 * ACROSS**2))
        return self.place + aside[best] if found[best] > 1 else self.place

    def _follow(self, room: NDArray[np.float32], start: Array) -> Array:
        """Walk step by step in the direction with the most clearance on both sides and the least turn."""
        padded = cv2.copyMakeBorder(room, PAD, PAD, PAD, PAD, cv2.BORDER_CONSTANT, value=0)
        at = start * [TEXELS, -TEXELS] + _ORIGIN  # column, row
        if np.any(at < PAD) or np.any(at > [COLUMNS + PAD, ROWS + PAD]):
            return start[None]
        points = [at]
        direction = round(self.heading / (2 * math.pi) * DIRECTIONS) % DIRECTIONS
        for _ in range(POINTS):
            columns, rows = (at[:, None, None] + _REACH[direction]).astype(int)
            found = padded[rows, columns]  # [2, turns]
            best = int((found[0] + found[1] - TURN_COST).argmax())
            if found[0, best] < LEAST_ROOM:
                break
            at = at + _REACH[direction][:, 0, best]
            direction = (direction + TURNS[best]) % DIRECTIONS
            points.append(at)
        return (np.array(points) - _ORIGIN) / [TEXELS, -TEXELS]


# Where one step and two lead from every direction, in texels: [DIRECTIONS, (column, row), 2, TURNS].
_ANGLES = (np.arange(DIRECTIONS)[:, None] + TURNS) / DIRECTIONS * 2 * math.pi
_UNITS = np.stack([np.sin(_ANGLES), -np.cos(_ANGLES)], axis=1) * STEP * TEXELS
_REACH = np.stack([_UNITS, 2 * _UNITS], axis=2)
PAD = math.ceil(2 * STEP * TEXELS) + 1  # texels around the map, so that no step leaves it
_ORIGIN = np.array([MAP_COLUMN, MAP_ROW]) + PAD + 0.5  # the half rounds to the nearest texel


def room_on_road(view: Map) -> NDArray[np.float32]:
    """Compute the distance from every texel to the edge of the road, units, at most HALF_ROAD; 0 off the road."""
    road = np.asarray(cv2.inRange(view, ROAD_GREYS[0], ROAD_GREYS[1]), np.uint8)
    rows = slice(round(MAP_ROW - 7), round(MAP_ROW + 7))
    left, right = round(MAP_COLUMN - 4), round(MAP_COLUMN + 4)
    road[rows, left : right + 1] = (road[rows, left] | road[rows, right])[:, None]  # under the car
    distance = cv2.distanceTransform(road, cv2.DIST_L2, 5)
    return np.asarray(np.minimum(distance / TEXELS, HALF_ROAD), np.float32)


def _centred(room: NDArray[np.float32], path: Array) -> tuple[Array, Array]:
    """Move every point to the middle between the edges; also the steps along the path."""
    along = np.empty_like(path)
    along[1:-1] = (path[2:] - path[:-2]) / 2
    along[0], along[-1] = path[1] - path[0], path[-1] - path[-2]
    right = np.stack([along[:, 1], -along[:, 0]], axis=1) / STEP
    found = _look_up(room, path[:, None] + NEAR[:, None] * right[:, None]) ** 4
    offset = (found @ NEAR) / np.maximum(found.sum(axis=1), 1e-9)
    return path + offset[:, None] * right, along


def _look_up(room: NDArray[np.float32], points: Array) -> Array:
    """Return the clearance at points [..., 2]; 0 outside the map."""
    columns = np.rint(points[..., 0] * TEXELS + MAP_COLUMN).astype(int)
    rows = np.rint(MAP_ROW - points[..., 1] * TEXELS).astype(int)
    seen = (columns >= 0) & (columns < COLUMNS) & (rows >= 0) & (rows < ROWS)
    return np.asarray(np.where(seen, room[rows % ROWS, columns % COLUMNS], 0.0), np.float64)
