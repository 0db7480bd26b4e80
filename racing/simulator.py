"""Gymnasium's CarRacing-v3, rendered only on demand.

Physics, tracks and rewards are Gymnasium's own code. Rendering takes 98 % of the time of a step, and an agent that
decides every fourth frame does not need the other three images.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pygame
from gymnasium.envs.box2d.car_racing import CarRacing
from numpy.typing import NDArray

from racing.official_image import LARGE, SMALL, draw_image, draw_screen
from racing.scenery import Scenery

TIME_LIMIT_FRAMES = 1000  # as registered for CarRacing-v3
MISSED_LAG_TILES = 3  # a tile this far behind the front will not be touched any more
MISSED_AT_ONCE = 6  # a shortcut across the grass counts as one mistake, not as fifty

_NO_IMAGE = np.zeros((96, 96, 3), dtype=np.uint8)


class Simulator(CarRacing):  # type: ignore[misc]
    """CarRacing-v3 with images on demand and a record of the tiles.

    Attributes:
        visits: Indices of the visited tiles, in order; the tiles change their shade.
        front: How far along the track the car has come, tiles.
        missed: Number of tiles passed without touching them; a single one keeps the lap from ending.
    """

    def __init__(self) -> None:
        super().__init__()
        self.frames = 0
        self.visits: list[int] = []
        self.missed = 0
        self._visited: NDArray[np.bool_] = np.zeros(0, dtype=bool)
        self.front = self._settled = 0
        self._scenery: Scenery | None = None
        self._scenery_of: object = None  # the road in _scenery

    def _render(self, mode: str) -> NDArray[np.uint8]:
        return _NO_IMAGE

    @property
    def scenery(self) -> Scenery:
        """The ground of this track, prepared for drawing."""
        if self._scenery is None or self._scenery_of is not self.road_poly:
            self._scenery = Scenery(self.road_poly, self.grass_color, self.bg_color)
            self._scenery_of = self.road_poly
        return self._scenery

    def draw(self) -> NDArray[np.uint8]:
        """Draw Gymnasium's own image of the current state, RGB, uint8 [96, 96, 3]."""
        return draw_image(self, SMALL)

    def draw_large(self) -> NDArray[np.uint8]:
        """Draw Gymnasium's image for films, RGB, uint8 [400, 600, 3]."""
        return draw_image(self, LARGE)

    def draw_screen(self) -> pygame.Surface:
        """Draw Gymnasium's image for people in full size, 1000x800; the next image is drawn over it."""
        return draw_screen(self)

    def start(self, track_seed: int) -> None:
        """Put the car at the start of a track."""
        self.reset(seed=track_seed)
        self.frames, self.missed, self.visits = 0, 0, []
        self._visited = np.zeros(len(self.track), dtype=bool)
        self.front = self._settled = 0
        self._note_visits()

    def drive(self, control: Sequence[float] | NDArray[np.float64]) -> tuple[float, bool]:
        """Simulate one frame (1/50 s).

        Args:
            control: (steer, gas, brake).

        Returns:
            The simulator's own reward, and whether the lap ended or the car left the playfield.
        """
        self.frames += 1
        _, reward, terminated, _, _ = self.step(np.asarray(control, dtype=np.float64))
        if self.tile_visited_count > len(self.visits):
            self._note_visits()
        return float(reward), bool(terminated)

    def _note_visits(self) -> None:
        # A contact lasts at least one frame, so a tile visited in this frame is still under a wheel.
        for tile in sorted({tile.idx for wheel in self.car.wheels for tile in wheel.tiles}):
            if not self._visited[tile]:
                self._visited[tile] = True
                self.visits.append(tile)
                self._count_missed(tile)

    def _count_missed(self, tile: int) -> None:
        """Advance the front to a newly visited tile, and count the tiles left behind untouched."""
        tiles = len(self._visited)
        ahead = (tile - self.front) % tiles
        if ahead > tiles // 2:  # behind the car: driving backwards, or a late touch
            return
        self.front += ahead
        settled = min(self.front - MISSED_LAG_TILES, tiles)
        if settled > self._settled:
            untouched = int((~self._visited[self._settled : settled]).sum())
            self.missed += min(untouched, MISSED_AT_ONCE)
            self._settled = settled

    @property
    def lap_done(self) -> bool:
        """Whether every tile has been visited."""
        return bool(self.tile_visited_count == len(self.track) or self.new_lap)

    @property
    def on_grass(self) -> bool:
        """Whether no wheel touches the road."""
        return not any(wheel.tiles for wheel in self.car.wheels)
