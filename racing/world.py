"""One car on one track, as an agent meets it: an observation, a decision, what came of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from racing.actions import action_set
from racing.camera import Camera, FastCamera, OfficialCamera
from racing.simulator import TIME_LIMIT_FRAMES, Simulator
from racing.vision import PICTURE_HEIGHT, PICTURE_WIDTH

CameraName = Literal["fast", "official"]
EndReason = Literal["", "lap", "out", "time", "stuck"]


class DrivingError(ValueError):
    """Driving gave something that is not a number; what and where."""


@dataclass(frozen=True)
class WorldSpec:
    """How a driver meets the world. Weights are only good for the world that they were trained in.

    Attributes:
        height: Height of a picture, pixels.
        width: Width of a picture, pixels.
        stack: Pictures in an observation, one per decision.
        frame_skip: Frames (1/50 s) that a decision lasts.
        actions: Name of the action set; empty for a driver with continuous controls.
    """

    height: int = 48
    width: int = 48
    stack: int = 4
    frame_skip: int = 4
    actions: str = "gentle"

    def __post_init__(self) -> None:
        """Refuse what cannot be.

        Raises:
            ValueError: Naming the field.
        """
        if not 8 <= self.height <= PICTURE_HEIGHT or not 8 <= self.width <= PICTURE_WIDTH:
            raise ValueError(
                f"a picture is 8x8 to {PICTURE_HEIGHT}x{PICTURE_WIDTH} pixels,"
                f" got {self.height}x{self.width}"
            )
        if not 1 <= self.stack <= 16:
            raise ValueError(f"stack must be 1 to 16 pictures, got {self.stack}")
        if not 1 <= self.frame_skip <= 50:
            raise ValueError(f"frame_skip must be 1 to 50 frames, got {self.frame_skip}")
        if self.actions:
            action_set(self.actions)


@dataclass(frozen=True, slots=True)
class Step:
    """What came of one decision.

    Attributes:
        reward: Sum of the simulator's own rewards.
        terminated: The lap ended or the car left the playfield: nothing comes after.
        truncated: The time limit was reached: more would have come.
        frames: Frames that the decision lasted.
        grass_frames: Of these, with no wheel on the road.
        missed_tiles: Tiles found to be left behind untouched.
        idle_frames: Frames since the last new tile.
        speed: Of the car at the end, world units per second.
        lap_done: Whether the lap ended.
    """

    reward: float
    terminated: bool
    truncated: bool
    frames: int
    grass_frames: int
    missed_tiles: int
    idle_frames: int
    speed: float
    lap_done: bool = False


class World:
    """A simulator with a camera and an action set."""

    def __init__(self, spec: WorldSpec, camera: CameraName = "fast") -> None:
        self.spec = spec
        self.simulator = Simulator()
        kind = FastCamera if camera == "fast" else OfficialCamera
        self.camera: Camera = kind(spec.height, spec.width)
        self._controls = action_set(spec.actions).table if spec.actions else None
        self._stack: NDArray[np.uint8] = np.zeros((spec.stack, spec.height, spec.width), np.uint8)
        self.score = 0.0

    def start(self, track_seed: int, look: bool = True) -> None:
        """Put the car at the start of a track; `look` False leaves the picture for `restack`."""
        self.simulator.start(track_seed)
        self._track = track_seed
        self.score = 0.0
        self._idle = 0
        self._visited = self.simulator.tile_visited_count
        self._out = False
        if look:
            self._stack = np.repeat(self.picture()[None], self.spec.stack, axis=0)  # [K, H, W]

    def picture(self) -> NDArray[np.uint8]:
        """The present view, uint8 [H, W]."""
        return self.camera.picture(self.simulator)

    @property
    def observation(self) -> NDArray[np.uint8]:
        """The last K pictures, oldest first; at the start the first picture fills it. uint8 [K, H, W]."""
        return self._stack

    def decide(self, action: int | NDArray[np.float64], look: bool = True) -> Step:
        """Hold one action for `frame_skip` frames, or until the episode ends.

        Args:
            action: An index into the action set, or (steer, gas, brake).
            look: Whether to take the picture at the end. Without, the observation is out of date.

        Raises:
            DrivingError: If the car's speed is not finite: to such a physics, every tile is touched.
        """
        control = np.asarray(action) if self._controls is None else self._controls[action]
        reward, terminated, frames, grass, missed = 0.0, False, 0, 0, self.simulator.missed
        while frames < self.spec.frame_skip and not terminated and not self.time_is_up:
            gained, terminated = self.simulator.drive(control)
            reward += gained
            frames += 1
            grass += self.simulator.on_grass
            self._note_progress()
        speed = float(self.simulator.car.hull.linearVelocity.length)
        if not math.isfinite(speed):
            raise DrivingError(
                f"on track {self._track}, frame {self.simulator.frames}, the car's speed is {speed}"
            )
        self.score += reward
        self._out = terminated and not self.simulator.lap_done
        if look:
            self._stack = np.concatenate([self._stack[1:], self.picture()[None]])  # [K, H, W]
        return Step(
            reward=reward,
            terminated=terminated,
            lap_done=self.simulator.lap_done,
            truncated=self.time_is_up and not terminated,
            frames=frames,
            grass_frames=grass,
            missed_tiles=self.simulator.missed - missed,
            idle_frames=self._idle,
            speed=speed,
        )

    def _note_progress(self) -> None:
        visited = self.simulator.tile_visited_count
        self._idle = 0 if visited > self._visited else self._idle + 1
        self._visited = visited

    @property
    def time_is_up(self) -> bool:
        """Whether the time limit was reached."""
        return self.simulator.frames >= TIME_LIMIT_FRAMES

    @property
    def end_reason(self) -> EndReason:
        """Why the simulator ended the episode; empty while it runs."""
        if self._out:
            return "out"
        if self.simulator.lap_done:
            return "lap"
        return "time" if self.time_is_up else ""
