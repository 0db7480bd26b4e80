"""Gymnasium's CarRacing-v3, whose camera is called only when somebody wants a picture.

Physics, tracks and rewards are Gymnasium's own code. The camera is 98 % of the cost of a step, and an agent
that decides every fourth frame does not need three of four pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.envs.box2d.car_racing import CarRacing, FrictionDetector
from numpy.typing import NDArray

TIME_LIMIT_FRAMES = 1000  # as registered for CarRacing-v3
MISSED_LAG_TILES = (
    3  # a tile this far behind the front wheels' farthest will not be touched any more
)
MISSED_AT_ONCE = 6  # a short cut across the grass is one mistake, not fifty

_NO_PICTURE = np.zeros((96, 96, 3), dtype=np.uint8)


class _TileLog(FrictionDetector):  # type: ignore[misc]
    """The simulator's contact listener, which also notes which tiles were touched, in order."""

    def __init__(self, simulator: Simulator) -> None:
        super().__init__(simulator, simulator.lap_complete_percent)
        self.simulator = simulator

    def _contact(self, contact: Any, begin: bool) -> None:
        super()._contact(contact, begin)
        for body in (contact.fixtureA.body, contact.fixtureB.body):
            tile = body.userData
            if tile is not None and "road_friction" in tile.__dict__:
                self.simulator.note_touch(tile.idx, tile.road_visited)


class Simulator(CarRacing):  # type: ignore[misc]
    """CarRacing-v3 with pictures on demand and a record of the tiles.

    Attributes:
        repainted: Tiles that changed shade, in order (the camera paints a touched tile anew).
        visited: Which tiles were driven over, bool [tiles].
        missed: Tiles left behind untouched; one of them keeps the lap from ending.
    """

    def __init__(self) -> None:
        super().__init__()
        self.frames = 0
        self._clear()

    def _clear(self) -> None:
        self.repainted: list[int] = []
        self._touched: set[int] = set()
        self.visited: NDArray[np.bool_] = np.zeros(0, dtype=bool)
        self._front = 0
        self._counted = 0
        self.missed = 0

    def _create_track(self) -> bool:
        # reset() calls this after it has set its own listener and before the car stands on the road.
        self._listener = _TileLog(self)
        self.world.contactListener = self._listener
        self._clear()
        made: bool = super()._create_track()
        if made:
            self.visited = np.zeros(len(self.track), dtype=bool)
        return made

    def _render(self, mode: str) -> NDArray[np.uint8]:
        return _NO_PICTURE

    def draw(self) -> NDArray[np.uint8]:
        """Gymnasium's own picture of this moment, uint8 [96, 96, 3]."""
        picture: NDArray[np.uint8] = super()._render("state_pixels")
        return picture

    def start(self, track_seed: int) -> None:
        """Put the car at the start of a track."""
        self.frames = 0
        self.reset(seed=track_seed)

    def drive(self, control: Sequence[float] | NDArray[np.float64]) -> tuple[float, bool]:
        """One frame (1/50 s) of physics.

        Args:
            control: (steer, gas, brake).

        Returns:
            The simulator's own reward, and whether the lap ended or the car left the playfield.
        """
        self.frames += 1
        _, reward, terminated, _, _ = self.step(np.asarray(control, dtype=np.float64))
        return float(reward), bool(terminated)

    def note_touch(self, tile: int, visited: bool) -> None:
        """Called by the contact listener for every contact with a tile."""
        if tile not in self._touched:
            self._touched.add(tile)
            self.repainted.append(tile)
        if visited and not self.visited[tile]:
            self.visited[tile] = True
            self._advance(tile)

    def _advance(self, tile: int) -> None:
        tiles = len(self.visited)
        ahead = (tile - self._front) % tiles
        if ahead > tiles // 2:  # behind the car: driving backwards, or a late touch
            return
        self._front += ahead
        settled = min(self._front - MISSED_LAG_TILES, tiles)
        if settled > self._counted:
            left_behind = settled - self._counted
            untouched = left_behind - int(self.visited[self._counted : settled].sum())
            self.missed += min(untouched, MISSED_AT_ONCE)
            self._counted = settled

    @property
    def lap_done(self) -> bool:
        """Whether every tile was visited."""
        return bool(self.tile_visited_count == len(self.track) or self.new_lap)

    @property
    def on_grass(self) -> bool:
        """Whether no wheel touches the road."""
        return not any(wheel.tiles for wheel in self.car.wheels)
