"""Gymnasium's image of CarRacing, byte for byte, in less than a third of its time.

The steps are those of `CarRacing._render`: ground, car, flip, indicators, score, scaling. `racing.scenery` and
`racing.car_drawing` draw ground and car; canvases and the font are reused from image to image. `smoothscale` shrinks
each row by itself, and then each column: in between, when a tenth of the pixels are left, the ground is flipped.
"""

from __future__ import annotations

import threading
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pygame
from gymnasium.envs.box2d import car_racing as sim
from numpy.typing import NDArray

from racing.car_drawing import draw_car

if TYPE_CHECKING:
    from racing.simulator import Simulator

SMALL, LARGE = (sim.STATE_W, sim.STATE_H), (sim.VIDEO_W, sim.VIDEO_H)
SCREEN = (sim.WINDOW_W, sim.WINDOW_H)
STRIP = sim.WINDOW_H // 8  # rows of the indicators, drawn over the ground
GROUND = sim.WINDOW_H - STRIP  # rows above them
VIEW = pygame.Rect(0, STRIP, sim.WINDOW_W, GROUND)  # before the flip
VIEW_ROWS, STRIP_ROWS = (STRIP, sim.WINDOW_H), (GROUND, sim.WINDOW_H)
FONT_SIZE = 42
SCORE_CENTRE = (60, sim.WINDOW_H - sim.WINDOW_H * 2.5 / 40.0)


class _Canvas:
    """A surface that shares its pixels with an array.

    Attributes:
        pixels: Red, green, blue and an unused byte, uint8 [height, width, 4].
        surface: The same as a surface.
    """

    def __init__(self, width: int, height: int) -> None:
        self.pixels = np.zeros((height, width, 4), np.uint8)
        self.surface = pygame.image.frombuffer(self.pixels.data, (width, height), "RGBX")

    def rows(self, first: int, last: int) -> pygame.Surface:
        """Return these rows (`last` excluded) as a surface."""
        return self.surface.subsurface((0, first, self.surface.width, last - first))


class _Canvases:
    """The canvases of this process; one image is drawn at a time."""

    def __init__(self) -> None:
        self.load_font()
        self.upside_down, self.screen = _Canvas(*SCREEN), _Canvas(*SCREEN)
        # For each size: both with rows of that width, and the image.
        self.sizes = {
            (width, height): (
                _Canvas(width, sim.WINDOW_H),
                _Canvas(width, sim.WINDOW_H),
                _Canvas(width, height),
            )
            for width, height in (SMALL, LARGE)
        }

    def load_font(self) -> None:
        pygame.font.init()
        self.font = pygame.font.Font(pygame.font.get_default_font(), FONT_SIZE)


def draw_image(simulator: Simulator, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Draw an image of the current state.

    Args:
        simulator: A simulator that has been started.
        size: SMALL, as an agent gets it, or LARGE, for films, with tyre marks.

    Returns:
        RGB, uint8 [height, width, 3].
    """
    with _lock:
        upside_down, screen, image = _canvases.sizes[size]
        _draw_ground(simulator, marks=size != SMALL)
        if _bars_fit(simulator.car):
            _draw_indicators(simulator)
            _shrink(_canvases.upside_down.rows(*VIEW_ROWS), upside_down.rows(*VIEW_ROWS))
            _shrink(_canvases.screen.rows(*STRIP_ROWS), screen.rows(*STRIP_ROWS))
            screen.pixels[:GROUND] = upside_down.pixels[: STRIP - 1 : -1]
        else:  # they cover some of the ground
            _draw_screen(simulator)
            _shrink(_canvases.screen.surface, screen.surface)
        _shrink(screen.surface, image.surface)
        return np.ascontiguousarray(image.pixels[..., :3])


def draw_screen(simulator: Simulator) -> pygame.Surface:
    """Draw the image for people, 1000x800, with tyre marks; the next image is drawn over the returned surface.

    Args:
        simulator: A simulator that has been started.
    """
    with _lock:
        _draw_ground(simulator, marks=True)
        _draw_screen(simulator)
        return _canvases.screen.surface


def _draw_ground(simulator: Simulator, marks: bool) -> None:
    """Draw ground and car, upside down."""
    canvas, car = _canvases.upside_down.surface, simulator.car
    angle = -car.hull.angle
    zoom = 0.1 * sim.SCALE * max(1 - simulator.t, 0) + sim.ZOOM * sim.SCALE * min(simulator.t, 1)
    x, y = car.hull.position
    turned = pygame.math.Vector2((-x * zoom, -y * zoom)).rotate_rad(angle)
    translation = (sim.WINDOW_W / 2 + turned[0], sim.WINDOW_H / 4 + turned[1])
    simulator.scenery.draw(canvas, VIEW, zoom, translation, angle)
    if marks:
        car.draw(canvas, zoom, translation, angle)
    else:
        draw_car(canvas, car, zoom, translation, angle)


def _draw_screen(simulator: Simulator) -> None:
    """Flip the ground, and draw the indicators over it."""
    np.copyto(_canvases.screen.pixels, _canvases.upside_down.pixels[::-1])
    _draw_indicators(simulator)


def _draw_indicators(simulator: Simulator) -> None:
    """Draw the strip at the bottom of the screen."""
    simulator.surf = _canvases.screen.surface
    simulator._render_indicators(*SCREEN)
    text = _text(f"{simulator.reward:04.0f}")
    simulator.surf.blit(text, text.get_rect(center=SCORE_CENTRE))


def _bars_fit(car: Any) -> bool:
    """Return whether the upright bars, those of speeds, stay within the strip: above their zero are 4/5 of it."""
    speed = 0.02 * car.hull.linearVelocity.length
    return bool(speed < 4 and all(0.01 * wheel.omega < 4 for wheel in car.wheels))


def _shrink(source: pygame.Surface, target: pygame.Surface) -> None:
    pygame.transform.smoothscale(source, target.size, target)


@lru_cache(maxsize=2000)  # about as many scores as there are
def _text(words: str) -> pygame.Surface:
    try:
        return _canvases.font.render(words, True, (255, 255, 255), (0, 0, 0))
    except pygame.error:  # fonts are gone: pygame.quit() was called, as Gymnasium's windows do
        _canvases.load_font()
        return _canvases.font.render(words, True, (255, 255, 255), (0, 0, 0))


_canvases = _Canvases()
_lock = threading.Lock()  # pygame functions share buffers, and release the GIL
