"""What a person sees while driving: Gymnasium's large image, a ghost, figures, the agents' view."""

from __future__ import annotations

import cmath

import numpy as np
import pygame
from gymnasium.envs.box2d.car_racing import FPS, SCALE, WINDOW_H, WINDOW_W, ZOOM
from numpy.typing import NDArray

from cockpit.window import Window
from racing.simulator import Simulator
from racing.world import World

PANEL = 400  # width of the agents' view beside the road
MARGIN = 8
WHITE, YELLOW, GHOST = (255, 255, 255), (255, 225, 80), (40, 70, 255, 150)
SHADE, FRAME = (0, 0, 0, 150), (90, 90, 90)  # behind text, around the agents' view
KEYS_HELP = (
    "arrows or WASD: drive    R: restart    V: agents' view    Enter: go on    Q or Esc: quit"
)


class Dashboard:
    """The window, and everything that is drawn into it.

    Attributes:
        seen: Whether the agents' view is shown.
    """

    def __init__(self, seen: bool, instead: str) -> None:
        self._instead = instead
        self._clock = pygame.time.Clock()
        pygame.font.init()
        self._small, self._large = pygame.font.Font(None, 28), pygame.font.Font(None, 72)
        self.seen = seen
        self._open()

    def _open(self) -> None:
        width = WINDOW_W + PANEL * self.seen
        self._window = Window((width, WINDOW_H), "CarRacing", self._instead)
        self._canvas = self._window.canvas

    def toggle_view(self) -> None:
        """Show the agents' view, or no longer."""
        self.seen = not self.seen
        self._open()

    def show(
        self,
        world: World,
        where: str,
        message: str = "",
        ghost: World | None = None,
        image: NDArray[np.uint8] | None = None,
    ) -> None:
        """Draw a moment, and wait until its 1/50 s is over.

        Args:
            world: Of the person.
            where: Which track, in words.
            message: In the middle, large.
            ghost: The world of another driver on the same track.
            image: What an agent would see, uint8 [H, W].
        """
        self._canvas.fill((0, 0, 0))
        self._canvas.blit(world.simulator.draw_screen(), (0, 0))
        if ghost:
            _draw_ghost(self._canvas, world.simulator, ghost.simulator)
        self._figures(world, where, ghost)
        if message:
            self._text(self._large, message, (WINDOW_W // 2, WINDOW_H // 3), YELLOW)
            self._text(self._small, KEYS_HELP, (WINDOW_W // 2, WINDOW_H // 3 + 70), WHITE)
        if self.seen and image is not None:
            self._panel(image)
        self._window.flip()
        self._clock.tick(FPS)

    def _figures(self, world: World, where: str, ghost: World | None) -> None:
        simulator = world.simulator
        lap = simulator.front / len(simulator.track)
        line = (
            f"{where}    score {world.score:.1f}    time {simulator.frames / FPS:.2f} s"
            f"    lap {lap:.0%}    missed tiles {simulator.missed}"
        )
        if ghost:
            line += f"    ghost {ghost.score:.1f}"
        self._text(self._small, line, (WINDOW_W // 2, 22), WHITE)

    def _panel(self, image: NDArray[np.uint8]) -> None:
        rgb = np.repeat(image.T[..., None], 3, axis=2)  # [W, H, 3], as pygame wants it
        factor = (PANEL - 2 * MARGIN) / image.shape[1]
        size = (PANEL - 2 * MARGIN, round(factor * image.shape[0]))
        large = pygame.transform.scale(pygame.surfarray.make_surface(rgb), size)
        place = self._canvas.blit(large, (WINDOW_W + MARGIN, 50))
        pygame.draw.rect(self._canvas, FRAME, place.inflate(2, 2), 1)
        self._text(self._small, "what the agents see", (place.centerx, 25), WHITE)
        below = (place.centerx, place.bottom + 25)
        self._text(self._small, "bars: speed, steering, rate of turn", below, WHITE)

    def _text(
        self, font: pygame.font.Font, text: str, centre: tuple[int, int], colour: tuple[int, ...]
    ) -> None:
        drawn = font.render(text, True, colour)
        place = drawn.get_rect(center=centre)
        shade = pygame.Surface(place.inflate(16, 10).size, pygame.SRCALPHA)
        shade.fill(SHADE)
        self._canvas.blit(shade, place.inflate(16, 10))
        self._canvas.blit(drawn, place)


def _draw_ghost(window: pygame.Surface, simulator: Simulator, ghost: Simulator) -> None:
    """Draw another simulator's car, half transparent, where it would be seen from this one's camera."""
    zoom = SCALE * (0.1 * max(1 - simulator.t, 0) + ZOOM * min(simulator.t, 1))  # Gymnasium's own
    hull = simulator.car.hull
    turn = zoom * cmath.exp(-1j * hull.angle)
    shapes = []
    for part in (*ghost.car.wheels, ghost.car.hull):
        for fixture in part.fixtures:
            corners = [part.transform * corner for corner in fixture.shape.vertices]
            seen = [(complex(*c) - complex(*hull.position)) * turn for c in corners]
            shapes.append([(WINDOW_W / 2 + s.real, WINDOW_H * 3 / 4 - s.imag) for s in seen])
    points = np.concatenate(shapes)
    low, high = np.floor(points.min(axis=0)), np.ceil(points.max(axis=0))
    place = pygame.Rect(*low, *(high - low + 1))
    road = pygame.Rect(0, 0, WINDOW_W, WINDOW_H * 7 // 8)  # Gymnasium's indicators are below
    if place.colliderect(road):
        patch = pygame.Surface(place.size, pygame.SRCALPHA)
        for shape in shapes:
            pygame.draw.polygon(patch, GHOST, [(x - low[0], y - low[1]) for x, y in shape])
        shown = place.clip(road)
        window.blit(patch, shown, shown.move(-place.x, -place.y))
