"""Draws field, grass and road of the official image as Gymnasium does, but only what is in view.

Gymnasium rotates every polygon of the world one by one in Python: about 800 for an image that shows 20. Here those
near the view are rotated as one array, with the same arithmetic, and the visible ones are drawn with the same calls in
the same order. The image is identical byte for byte.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pygame
from gymnasium.envs.box2d import car_racing as sim
from numpy.typing import NDArray
from pygame import gfxdraw

MARGIN = 2.0  # screen pixels; the smooth edge of a polygon is up to one pixel wide

_FIELD = sim.PLAYFIELD * np.array([(1.0, 1.0), (1.0, -1.0), (-1.0, -1.0), (-1.0, 1.0)])  # [4, 2]


def _grass() -> NDArray[np.float64]:
    """Return the corners of the grass patches in Gymnasium's order, world units, float64 [400, 4, 2]."""
    near = sim.GRASS_DIM * np.arange(-20.0, 20.0, 2.0)
    far = near + sim.GRASS_DIM
    patches = [
        [(x1, y0), (x0, y0), (x0, y1), (x1, y1)]
        for x0, x1 in zip(near, far, strict=True)
        for y0, y1 in zip(near, far, strict=True)
    ]
    return np.array(patches)


_GRASS = _grass()


class Scenery:
    """Everything on the ground of one track.

    Args:
        road: Polygons and their colours, as `CarRacing.road_poly` has them. Colours are read when an image is
            drawn, because a tile changes colour when it is visited.
        grass_colour: RGB.
        field_colour: RGB of the ground between the patches of grass.
    """

    def __init__(
        self,
        road: Sequence[tuple[Sequence[tuple[float, float]], Sequence[float]]],
        grass_colour: NDArray[Any],
        field_colour: NDArray[Any],
    ) -> None:
        polygons = np.concatenate([_GRASS, np.array([corners for corners, _ in road])])
        self._x, self._y = np.ascontiguousarray(polygons.transpose(2, 1, 0))  # [4, n] each
        self._low, self._high = polygons.min(axis=1).T, polygons.max(axis=1).T  # [2, n] each
        self._colours = [grass_colour] * len(_GRASS) + [colour for _, colour in road]
        self._field_colour = field_colour

    def draw(
        self,
        surface: pygame.Surface,
        area: pygame.Rect,
        zoom: float,
        translation: Sequence[float],
        angle: float,
    ) -> None:
        """Draw at least everything that is visible in an area.

        Args:
            surface: The surface to draw on. It must not clip to the area: lines cut there get different pixels.
            area: The visible part of the surface.
            zoom: Pixels per world unit.
            translation: Position of the world's origin on the surface, pixels.
            angle: Angle by which the world is rotated, radians.
        """
        cos, sin = pygame.math.Vector2(1, 0).rotate_rad(angle)  # bitwise as in Gymnasium

        def to_screen(x: Any, y: Any) -> tuple[Any, Any]:
            return (
                (cos * x - sin * y) * zoom + translation[0],
                (sin * x + cos * y) * zoom + translation[1],
            )

        wide = area.inflate(2 * MARGIN, 2 * MARGIN)
        low, high = _world_bounds(wide, zoom, translation, cos, sin)
        if min(low) > -sim.PLAYFIELD and max(high) < sim.PLAYFIELD:
            surface.fill(self._field_colour, area)
        else:
            surface.fill((0, 0, 0), area)
            _draw(surface, np.stack(to_screen(*_FIELD.T), axis=1).tolist(), self._field_colour)
        # Choose by the bounds in the world first, so that few are turned, and then by those on the screen.
        near = np.flatnonzero(
            (self._high[0] >= low[0])
            & (self._high[1] >= low[1])
            & (self._low[0] <= high[0])
            & (self._low[1] <= high[1])
        )
        x, y = to_screen(self._x[:, near], self._y[:, near])  # [4, near] each
        seen = (x.max(axis=0) >= wide.left) & (x.min(axis=0) <= wide.right)
        seen &= (y.max(axis=0) >= wide.top) & (y.min(axis=0) <= wide.bottom)
        x, y, visible = x[:, seen], y[:, seen], near[seen]
        corners = np.stack([x.T, y.T], axis=2).tolist()  # [visible, 4, 2]
        for polygon, index in zip(corners, visible.tolist(), strict=True):
            _draw(surface, polygon, [int(c) for c in self._colours[index]])


def _world_bounds(
    area: pygame.Rect, zoom: float, translation: Sequence[float], cos: float, sin: float
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return the lowest and the highest x and y that an area of the surface shows, world units."""
    xs, ys = [], []
    for right, up in (area.topleft, area.topright, area.bottomright, area.bottomleft):
        x, y = (right - translation[0]) / zoom, (up - translation[1]) / zoom
        xs.append(cos * x + sin * y)
        ys.append(cos * y - sin * x)
    return (min(xs), min(ys)), (max(xs), max(ys))


def _draw(surface: pygame.Surface, polygon: list[Any], colour: Any) -> None:
    gfxdraw.aapolygon(surface, polygon, colour)
    gfxdraw.filled_polygon(surface, polygon, colour)
