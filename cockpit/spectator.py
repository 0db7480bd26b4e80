"""Watch a driver: the official image, what the network sees, and what it expects of every action."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pygame
from gymnasium.envs.box2d.car_racing import FPS, WINDOW_H, WINDOW_W
from numpy.typing import NDArray

from cockpit.window import Window
from evaluation.drivers import Driver, acting
from racing.actions import action_set
from racing.driving import drive
from racing.spec import CameraName
from racing.world import World

PANEL = 420  # width beside the road, pixels
MARGIN, ROW, VIEW = 12, 19, 200
BACKGROUND, TEXT, FAINT, BAR, BEST = (
    (18, 20, 24),
    (235, 235, 235),
    (150, 155, 165),
    (70, 110, 160),
    (40, 170, 120),
)
HELP = "space: pause   N: next track   + -: speed   Q: quit"
SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0)


class Spectator:
    """A window in which a driver drives.

    Args:
        instead: What to do where there is no screen.

    Raises:
        ValueError: If there is no screen.
    """

    def __init__(self, instead: str) -> None:
        pygame.font.init()
        self._small, self._large = pygame.font.Font(None, 22), pygame.font.Font(None, 44)
        self._window = Window((WINDOW_W + PANEL, WINDOW_H), "CarRacing", instead)
        self._clock = pygame.time.Clock()
        self._speed, self._paused = SPEEDS.index(1.0), False

    def watch(self, driver: Driver, track: int, camera: CameraName) -> bool:
        """A whole episode, at its own speed unless the keys say otherwise.

        Returns:
            Whether to go on with another track.
        """
        world = World(replace(driver.world, frame_skip=1), camera)
        policy = driver.policy(track)
        values: list[NDArray[np.float32]] = []  # of the last decision, [A]

        def act(world: World) -> object:
            if hasattr(policy, "values"):
                values[:] = [policy.values(world.observation[None])[0]]
            return decide(world)

        decide = acting(policy)
        for moment in drive(world, track, act, hold=driver.world.frame_skip):
            q = values[0] if values else None
            self._draw(driver, world, track, moment.observation, moment.action, q)
            if (go_on := self._keys()) is not None:
                return go_on
            while self._paused:
                self._clock.tick(FPS)
                if (go_on := self._keys()) is not None:
                    return go_on
            self._clock.tick(FPS * SPEEDS[self._speed])
        return True

    def _keys(self) -> bool | None:
        """False to quit, True for the next track, None to stay."""
        for event in pygame.event.get():
            if event.type == pygame.QUIT:
                return False
            if event.type != pygame.KEYDOWN:
                continue
            if event.key in (pygame.K_q, pygame.K_ESCAPE):
                return False
            if event.key == pygame.K_n:
                return True
            if event.key == pygame.K_SPACE:
                self._paused = not self._paused
            if event.unicode in ("+", "-"):
                step = 1 if event.unicode == "+" else -1
                self._speed = min(max(self._speed + step, 0), len(SPEEDS) - 1)
        return None

    def _draw(
        self,
        driver: Driver,
        world: World,
        track: int,
        observation: NDArray[np.uint8],
        action: object,
        q: NDArray[np.float32] | None,
    ) -> None:
        canvas, simulator = self._window.canvas, world.simulator
        canvas.fill(BACKGROUND)
        canvas.blit(simulator.draw_screen(), (0, 0))
        x, y = WINDOW_W + MARGIN, MARGIN
        self._text(self._large, f"score {world.score:.1f}", x, y, TEXT)
        speed = float(simulator.car.hull.linearVelocity.length)
        for line in (
            f"{driver.name}",
            f"track {track}    {simulator.frames / FPS:.2f} s    {speed:.0f} units/s"
            f"    {simulator.tile_visited_count} of {len(simulator.track)} tiles",
            f"{HELP}   {SPEEDS[self._speed]:g}x",
        ):
            y += 26 if y > MARGIN else 42
            self._text(self._small, line, x, y, FAINT)
        y = self._view(observation[-1], x, y + 36)
        if q is not None:
            self._bars(driver, q, int(action), x, y)  # type: ignore[call-overload]
        self._window.flip()

    def _view(self, image: NDArray[np.uint8], x: int, y: int) -> int:
        """What the network sees, uint8 [H, W]; returns where to go on below it."""
        rgb = np.repeat(image.T[..., None], 3, axis=2)  # [W, H, 3], as pygame wants it
        factor = VIEW / image.shape[0]
        size = (round(factor * image.shape[1]), VIEW)
        large = pygame.transform.scale(pygame.surfarray.make_surface(rgb), size)
        self._window.canvas.blit(large, (x, y))
        self._text(self._small, "what it sees", x + size[0] + MARGIN, y, FAINT)
        return y + VIEW + MARGIN

    def _bars(self, driver: Driver, q: NDArray[np.float32], action: int, x: int, y: int) -> None:
        """Q of every action, from the lowest to the highest of this moment."""
        self._text(self._small, "Q of each action: steer, gas, brake", x, y, FAINT)
        low, span = float(q.min()), max(float(q.max() - q.min()), 1e-6)
        for i, (steer, gas, brake) in enumerate(action_set(driver.world.actions).controls):
            top = y + ROW * (i + 1)
            length = round(150 * (float(q[i]) - low) / span) + 2
            colour = BEST if i == action else BAR
            pygame.draw.rect(self._window.canvas, colour, (x + 150, top + 2, length, ROW - 6))
            ink = TEXT if i == action else FAINT
            self._text(self._small, f"{steer:+.2f}  {gas:.1f}  {brake:.1f}", x, top, ink)
            self._text(self._small, f"{q[i]:.2f}", x + 330, top, ink)

    def _text(
        self, font: pygame.font.Font, text: str, x: int, y: int, colour: tuple[int, int, int]
    ) -> None:
        self._window.canvas.blit(font.render(text, True, colour), (x, y))


def watch_all(
    spectator: Spectator, load: Callable[[], Driver], tracks: list[int], camera: CameraName
) -> None:
    """One track after the other; the driver is loaded again for each, since it may learn meanwhile."""
    for track in tracks:
        if not spectator.watch(load(), track, camera):
            return
