"""Gymnasium's image of CarRacing, byte for byte, in less than a third of its time.

The steps are those of `CarRacing._render`: ground, car, flip, indicators, score, scaling. `racing.scenery` draws the
ground; canvases and the font are reused from image to image.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np
import pygame
from gymnasium.envs.box2d import car_racing as sim
from numpy.typing import NDArray

if TYPE_CHECKING:
    from racing.simulator import Simulator

SMALL, LARGE = (sim.STATE_W, sim.STATE_H), (sim.VIDEO_W, sim.VIDEO_H)
SCREEN = (sim.WINDOW_W, sim.WINDOW_H)
STRIP = sim.WINDOW_H // 8  # rows of the indicators, drawn over the ground
VIEW = pygame.Rect(0, STRIP, sim.WINDOW_W, sim.WINDOW_H - STRIP)  # before the flip
FONT_SIZE = 42
SCORE_CENTRE = (60, sim.WINDOW_H - sim.WINDOW_H * 2.5 / 40.0)


class _Canvases:
    """The canvases of this process; one image is drawn at a time."""

    def __init__(self) -> None:
        self.load_font()
        self.upside_down = pygame.Surface(SCREEN, depth=32)
        self.screen = pygame.Surface(SCREEN, depth=32)
        self.sizes = {size: pygame.Surface(size, depth=32) for size in (SMALL, LARGE)}

    def load_font(self) -> None:
        pygame.font.init()
        self.font = pygame.font.Font(pygame.font.get_default_font(), FONT_SIZE)

    def text(self, words: str) -> pygame.Surface:
        try:
            return self.font.render(words, True, (255, 255, 255), (0, 0, 0))
        except (
            pygame.error
        ):  # the font is gone: pygame.quit() was called, as Gymnasium's windows do
            self.load_font()
            return self.font.render(words, True, (255, 255, 255), (0, 0, 0))


def draw_image(simulator: Simulator, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Draw an image of the current state.

    Args:
        simulator: A simulator that has been started.
        size: SMALL, as an agent gets it, or LARGE, for films, with tyre marks.

    Returns:
        RGB, uint8 [height, width, 3].
    """
    with _lock:
        screen = _draw_screen(simulator, marks=size != SMALL)
        shrunk = pygame.transform.smoothscale(screen, size, _canvases.sizes[size])
        return np.ascontiguousarray(pygame.surfarray.pixels3d(shrunk).transpose(1, 0, 2))


def draw_screen(simulator: Simulator) -> pygame.Surface:
    """Draw the image for people, 1000x800, with tyre marks; the next image is drawn over the returned surface.

    Args:
        simulator: A simulator that has been started.
    """
    with _lock:
        return _draw_screen(simulator, marks=True)


def _draw_screen(simulator: Simulator, marks: bool) -> pygame.Surface:
    canvas, screen, car = _canvases.upside_down, _canvases.screen, simulator.car
    angle = -car.hull.angle
    zoom = 0.1 * sim.SCALE * max(1 - simulator.t, 0) + sim.ZOOM * sim.SCALE * min(simulator.t, 1)
    x, y = car.hull.position
    turned = pygame.math.Vector2((-x * zoom, -y * zoom)).rotate_rad(angle)
    translation = (sim.WINDOW_W / 2 + turned[0], sim.WINDOW_H / 4 + turned[1])
    simulator.scenery.draw(canvas, VIEW, zoom, translation, angle)
    car.draw(canvas, zoom, translation, angle, marks)
    rows = pygame.surfarray.pixels2d(canvas).T[::-1]  # uint32 [800, 1000]
    np.copyto(pygame.surfarray.pixels2d(screen).T, rows)
    simulator.surf = screen
    simulator._render_indicators(*SCREEN)
    text = _canvases.text(f"{simulator.reward:04.0f}")
    screen.blit(text, text.get_rect(center=SCORE_CENTRE))
    return screen


_canvases = _Canvases()
_lock = threading.Lock()  # pygame functions share buffers, and release the GIL
