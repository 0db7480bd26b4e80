"""The fast camera: it reproduces the official camera's image without redrawing the world.

The official camera paints 1000x800 pixels, polygon by polygon, and shrinks them to 96x96. The fast camera
paints each track once, as a grey map, and cuts every image out of the map with one affine warp. The car is drawn on
top, in a small supersampled patch. The cost of an image does not depend on how much is in view.
"""

from __future__ import annotations

import cmath
import math
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import pygame
from gymnasium.envs.box2d import car_dynamics as car
from gymnasium.envs.box2d import car_racing as sim
from numpy.typing import NDArray

from racing import gauges
from racing.simulator import Simulator
from racing.spec import IMAGE_WIDTH
from racing.vision import ROAD_ROWS, compose, grey_road

TEXELS = 3.0  # texels per world unit of the finest map; an image has 1.6 by 1.9 pixels per unit
LEVELS = 5  # maps of halved resolution, for the zoom-in of the first second
EDGE = 0.20  # world units by which the road's polygons are narrowed: OpenCV also fills the boundary's pixels
SUBPIXEL_BITS = 4
CAR_ROWS, CAR_COLUMNS = (64, 80), (43, 53)  # the patch that holds the car at full zoom
CAR_SCALE = 8  # supersampling of that patch

_SIZE = round(2 * sim.PLAYFIELD * TEXELS)
_FULL_ZOOM = sim.ZOOM * sim.SCALE
_PIXEL_X = sim.WINDOW_W / sim.STATE_W  # official screen pixels per image pixel
_PIXEL_Y = sim.WINDOW_H / sim.STATE_H


def _greys(colours: list[tuple[int, int, int]]) -> list[int]:
    """Return the official camera's grey of each colour: pygame's scaling darkens it by a level or two."""
    surface = pygame.Surface((sim.WINDOW_W, sim.WINDOW_H))
    band = sim.WINDOW_W // len(colours)
    for i, colour in enumerate(colours):
        surface.fill(colour, (i * band, 0, band, sim.WINDOW_H))
    small = pygame.transform.smoothscale(surface, (sim.STATE_W, sim.STATE_H))
    seen = grey_road(pygame.surfarray.array3d(small).transpose(1, 0, 2))
    return [int(seen[42, round((i + 0.5) * band / _PIXEL_X)]) for i in range(len(colours))]


GREY_FIELD, GREY_GRASS, GREY_RED, GREY_WHITE, GREY_HULL, GREY_WHEEL, GREY_STRIPE, *GREY_ROAD = (
    _greys(
        [(102, 204, 102), (102, 230, 102), (255, 0, 0), (255, 255, 255), (204, 0, 0), (0, 0, 0)]
        + [car.WHEEL_WHITE]
        + [(102 + c,) * 3 for c in (0, 2, 5)]  # road tiles take turns in three shades
    )
)
_HULL = [
    np.array([complex(x, y) for x, y in polygon]) * car.SIZE
    for polygon in (car.HULL_POLY1, car.HULL_POLY2, car.HULL_POLY3, car.HULL_POLY4)
]
_WHEEL_X = np.array([-1, 1, 1, -1]) * car.WHEEL_W * car.SIZE
_WHEEL_Y = np.array([1, 1, -1, -1]) * car.WHEEL_R * car.SIZE
_WHEEL = _WHEEL_X + 1j * _WHEEL_Y  # complex [4]


class FastCamera:
    """Cuts the view of the official camera out of a map of the track."""

    def __init__(self, height: int, width: int, shows_gauges: bool = True) -> None:
        self.height, self.width, self.shows_gauges = height, width, shows_gauges
        self._track: list[Any] | None = None  # the track in the maps
        self._painted = 0
        self._maps: list[NDArray[np.uint8]] = []
        self._tiles: list[NDArray[np.float64]] = []

    def render(self, simulator: Simulator) -> NDArray[np.uint8]:
        """Return the current view, uint8 [H, W]."""
        self._follow(simulator)
        hull = simulator.car.hull
        zoom = 0.1 * sim.SCALE * max(1 - simulator.t, 0) + _FULL_ZOOM * min(simulator.t, 1)
        view = self._cut(hull.position, hull.angle, zoom)  # [84, 96]
        _draw_car(view, simulator.car, zoom)
        shown = gauges.measure(simulator.car) if self.shows_gauges else gauges.OFF
        return compose(view, shown, self.height, self.width)

    def _follow(self, simulator: Simulator) -> None:
        """Bring the maps up to date: a new track, or tiles that were touched since the last image."""
        if simulator.track is not self._track:
            self._track, self._painted = simulator.track, 0
            self._tiles = _narrowed_tiles(simulator)
            self._maps = _paint_track(simulator, self._tiles)
        for tile in simulator.visits[self._painted :]:
            for level, canvas in enumerate(self._maps):
                _fill(canvas, self._tiles[tile], GREY_ROAD[0], TEXELS / 2**level)
        self._painted = len(simulator.visits)

    def _cut(self, position: Any, angle: float, zoom: float) -> NDArray[np.uint8]:
        level = min(max(round(math.log2(_FULL_ZOOM / zoom)), 0), LEVELS - 1)
        texels = TEXELS / 2**level
        # Image pixel (u, v) -> window (X to the right, Y up) -> world -> texel, all affine.
        unit = texels / zoom
        cos, sin = math.cos(angle) * unit, math.sin(angle) * unit
        across, down = _PIXEL_X, -_PIXEL_Y
        left = 0.5 * _PIXEL_X - sim.WINDOW_W / 2  # X of the first pixel's centre, from the car
        top = sim.WINDOW_H - 0.5 * _PIXEL_Y - sim.WINDOW_H / 4
        x0 = (position[0] + sim.PLAYFIELD) * texels - 0.5
        y0 = (position[1] + sim.PLAYFIELD) * texels - 0.5
        to_texel = np.array(
            [
                [cos * across, -sin * down, x0 + cos * left - sin * top],
                [sin * across, cos * down, y0 + sin * left + cos * top],
            ]
        )
        view = cv2.warpAffine(
            self._maps[level],
            to_texel,
            (IMAGE_WIDTH, ROAD_ROWS),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=0,  # outside the playfield is black
        )
        return np.asarray(view, dtype=np.uint8)


def _fill(
    canvas: NDArray[np.uint8], polygon: NDArray[np.float64], grey: int, texels: float
) -> None:
    """Fill a convex polygon given in world units, float64 [n, 2]."""
    corners = ((polygon + sim.PLAYFIELD) * texels - 0.5) * 2**SUBPIXEL_BITS
    cv2.fillConvexPoly(canvas, corners.astype(np.int32), grey, cv2.LINE_AA, SUBPIXEL_BITS)


def _narrowed_tiles(simulator: Simulator) -> list[NDArray[np.float64]]:
    """Every tile's corners, float64 [4, 2], with its two road edges moved inwards by EDGE."""
    tiles = []
    for i, (_, beta, x, y) in enumerate(simulator.track):
        corners = []
        _, beta_before, x_before, y_before = simulator.track[i - 1]
        for sign, at in ((-1, 0), (1, 0), (1, 1), (-1, 1)):
            angle, px, py = ((beta, x, y), (beta_before, x_before, y_before))[at]
            half = sign * (sim.TRACK_WIDTH - EDGE)
            corners.append((px + half * math.cos(angle), py + half * math.sin(angle)))
        tiles.append(np.array(corners))
    return tiles


def _grass_maps() -> list[NDArray[np.uint8]]:
    """The playfield without a road, one map per level."""
    canvas = np.full((_SIZE, _SIZE), GREY_FIELD, dtype=np.uint8)
    edges = np.round((np.arange(-20, 21) * sim.GRASS_DIM + sim.PLAYFIELD) * TEXELS).astype(int)
    for ix in range(0, 40, 2):
        for iy in range(0, 40, 2):
            canvas[edges[iy] : edges[iy + 1], edges[ix] : edges[ix + 1]] = GREY_GRASS
    return _halved(canvas)


def _halved(canvas: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    maps = [canvas]
    for level in range(1, LEVELS):
        size = _SIZE >> level
        maps.append(
            np.asarray(cv2.resize(maps[-1], (size, size), interpolation=cv2.INTER_AREA), np.uint8)
        )
    return maps


_GRASS = _grass_maps()[0]


def _paint_track(simulator: Simulator, tiles: list[NDArray[np.float64]]) -> list[NDArray[np.uint8]]:
    """Paint the maps of a track before any tile was touched."""
    canvas = _GRASS.copy()
    tile = -1
    for polygon, colour in simulator.road_poly:
        if isinstance(colour, tuple):  # the red and white border of a sharp bend
            grey = GREY_WHITE if colour[1] else GREY_RED
            _fill(canvas, np.array(polygon), grey, TEXELS)
        else:
            tile += 1
            _fill(canvas, tiles[tile], GREY_ROAD[tile % 3], TEXELS)
    return _halved(canvas)


def _draw_car(view: NDArray[np.uint8], vehicle: Any, zoom: float) -> None:
    """Draw wheels and hull on the image, uint8 [84, 96], in place."""
    rows, columns = slice(*CAR_ROWS), slice(*CAR_COLUMNS)
    patch = view[rows, columns].repeat(CAR_SCALE, axis=0).repeat(CAR_SCALE, axis=1)
    shapes, greys = _wheels(vehicle)
    for corners, grey in zip(_to_patch(shapes, zoom), greys, strict=True):
        cv2.fillConvexPoly(patch, corners, grey, cv2.LINE_8, SUBPIXEL_BITS)
    for corners in _hull(zoom):
        cv2.fillConvexPoly(patch, corners, GREY_HULL, cv2.LINE_8, SUBPIXEL_BITS)
    size = (columns.stop - columns.start, rows.stop - rows.start)
    view[rows, columns] = cv2.resize(patch, size, interpolation=cv2.INTER_AREA)


def _wheels(vehicle: Any) -> tuple[NDArray[np.complex128], list[int]]:
    """Return the wheels and the light stripes on them, relative to the car: corners x + iy, [n, 4], and greys."""
    hull = vehicle.hull
    x, y, angle = hull.position[0], hull.position[1], hull.angle
    towards = cmath.exp(-1j * angle)
    shapes, turns, centres, greys = [], [], [], []
    for wheel in vehicle.wheels:
        wx, wy = wheel.position
        centre, turn = complex(wx - x, wy - y) * towards, cmath.exp(1j * (wheel.angle - angle))
        stripe = _stripe(wheel.phase)
        for shape, grey in ((_WHEEL, GREY_WHEEL), (stripe, GREY_STRIPE)):
            if shape is not None:
                shapes.append(shape)
                turns.append(turn)
                centres.append(centre)
                greys.append(grey)
    placed = np.array(shapes) * np.array(turns)[:, None] + np.array(centres)[:, None]
    return placed, greys


def _stripe(phase: float) -> NDArray[np.complex128] | None:
    """Return the light stripe of a turning wheel, complex [4], or None if it is on the far side."""
    near, far = math.sin(phase), math.sin(phase + 1.2)
    if near > 0 and far > 0:
        return None
    c1, c2 = math.cos(phase), math.cos(phase + 1.2)
    c1 = math.copysign(1.0, c1) if near > 0 else c1
    c2 = math.copysign(1.0, c2) if far > 0 else c2
    corners: NDArray[np.complex128] = _WHEEL_X + 1j * _WHEEL_Y * np.array([c1, c1, -c2, -c2])
    return corners


@lru_cache(maxsize=64)
def _hull(zoom: float) -> tuple[NDArray[np.int32], ...]:
    """Return the hull's polygons on the patch; the hull always points up, so they depend on the zoom only."""
    return tuple(_to_patch(polygon, zoom) for polygon in _HULL)


def _to_patch(points: NDArray[np.complex128], zoom: float) -> NDArray[np.int32]:
    """Convert world units relative to the car to patch pixels, complex [...] -> fixed-point int32 [..., 2]."""
    fixed = np.empty((*points.shape, 2), dtype=np.float64)
    step = CAR_SCALE * 2**SUBPIXEL_BITS
    half = 2 ** (SUBPIXEL_BITS - 1)
    left = (sim.WINDOW_W / 2 / _PIXEL_X - CAR_COLUMNS[0]) * step - half
    top = (sim.WINDOW_H * 3 / 4 / _PIXEL_Y - CAR_ROWS[0]) * step - half
    fixed[..., 0] = points.real * (zoom / _PIXEL_X * step) + left
    fixed[..., 1] = points.imag * (-zoom / _PIXEL_Y * step) + top
    return fixed.astype(np.int32)
