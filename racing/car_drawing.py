"""Draws the car of the official image as `Car.draw` of Gymnasium does, without the marks of its tyres.

Gymnasium asks the physics engine for the shapes in every image. Here they are known, and points are plain numbers. The
arithmetic, the calls that draw and their order are the same, and so is every byte.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pygame
from gymnasium.envs.box2d import car_dynamics as car

Corners = Sequence[tuple[float, float]]


def _shape(corners: Corners) -> Corners:
    """Return corners as the engine has them, world units: rounded to single precision, in an order of its own."""
    shape = car.polygonShape(vertices=[(x * car.SIZE, y * car.SIZE) for x, y in corners])
    vertices: Corners = shape.vertices
    return vertices


_HULL = [
    _shape(polygon) for polygon in (car.HULL_POLY1, car.HULL_POLY2, car.HULL_POLY3, car.HULL_POLY4)
]
_HULL_COLOUR = (204, 0, 0)
_W, _R = car.WHEEL_W * car.SIZE, car.WHEEL_R * car.SIZE
_WHEEL = _shape([(x, y) for y in (car.WHEEL_R, -car.WHEEL_R) for x in (-car.WHEEL_W, car.WHEEL_W)])


def draw_car(
    surface: pygame.Surface, vehicle: Any, zoom: float, translation: Sequence[float], angle: float
) -> None:
    """Draw a car.

    Args:
        surface: The surface to draw on.
        vehicle: A simulator's car.
        zoom: Pixels per world unit.
        translation: Position of the world's origin on the surface, pixels.
        angle: Angle by which the world is rotated, radians.
    """
    cos, sin = pygame.math.Vector2(1, 0).rotate_rad(angle)  # bitwise as in Gymnasium
    right, up = translation

    def draw(colour: Sequence[int], transform: Any, corners: Corners) -> None:
        points = []
        for corner in corners:
            x, y = (transform * corner).tuple
            points.append(((cos * x - sin * y) * zoom + right, (sin * x + cos * y) * zoom + up))
        pygame.draw.polygon(surface, colour, points)

    for wheel in vehicle.wheels:
        transform = wheel.transform
        draw(car.WHEEL_COLOR, transform, _WHEEL)
        if stripe := _stripe(wheel.phase):
            draw(car.WHEEL_WHITE, transform, stripe)
    transform = vehicle.hull.transform
    for corners in _HULL:
        draw(_HULL_COLOUR, transform, corners)


def _stripe(phase: float) -> Corners:
    """Return the corners of the light stripe of a turning wheel, none if it is on the far side."""
    ends = []
    for end in (phase, phase + 1.2):
        near, far = math.cos(end), math.sin(end) > 0
        ends.append((math.copysign(1.0, near) if far else near, far))
    (y1, far1), (y2, far2) = ends
    if far1 and far2:
        return []
    y1, y2 = car.WHEEL_R * y1 * car.SIZE, car.WHEEL_R * y2 * car.SIZE
    return [(-_W, y1), (_W, y1), (_W, y2), (-_W, y2)]
