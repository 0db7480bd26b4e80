"""One car on one track, as an agent meets it: an observation, a decision, what came of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from racing.actions import action_set
from racing.camera import FastCamera
from racing.official_camera import Camera, OfficialCamera
from racing.simulator import TIME_LIMIT_FRAMES, Simulator
from racing.vision import PICTURE_HEIGHT, PICTURE_WIDTH

CameraName = Literal["fast", "official"]
CAMERAS: dict[str, type[FastCamera | OfficialCamera]] = {
    "fast": FastCamera,
    "official": OfficialCamera,
}
EndReason = Literal["", "lap", "out", "time", "stuck"]


class DrivingError(ValueError):
    """Driving gave something that is not a number; what and where."""


@dataclass(frozen=True)
class WorldSpec:
    """How a driver meets the world. Weights are only good for the world that they were trained in.

    Attributes:
        height: Height of a picture, pixels.
        width: Width of a picture, pixels.
        stack: Pictures in an observation.
        frame_skip: Frames (1/50 s) that a decision lasts.
        actions: Name of the action set; empty for a driver with continuous controls.
        stack_spacing: Decisions between two pictures of an observation.
    """

    height: int = 48
    width: int = 48
    stack: int = 4
    frame_skip: int = 4
    actions: str = "brisk"
    stack_spacing: int = 1

    def __post_init__(self) -> None:
        """Refuse what cannot be.

        Raises:
            ValueError: Naming the field.
        """
        numbers = (self.height, self.width, self.stack, self.frame_skip, self.stack_spacing)
        if not all(type(n) is int for n in numbers):  # a weight file's card may say anything
            raise ValueError(f"a world is described by whole numbers, got {numbers}")
        if not 8 <= self.height <= PICTURE_HEIGHT or not 8 <= self.width <= PICTURE_WIDTH:
            raise ValueError(
                f"a picture is 8x8 to {PICTURE_HEIGHT}x{PICTURE_WIDTH} pixels,"
                f" got {self.height}x{self.width}"
            )
        if not 1 <= self.stack <= 16:
            raise ValueError(f"stack must be 1 to 16 pictures, got {self.stack}")
        if not 1 <= self.frame_skip <= 50:
            raise ValueError(f"frame_skip must be 1 to 50 frames, got {self.frame_skip}")
        if not 1 <= self.stack_spacing <= 50:
            raise ValueError(f"stack_spacing must be 1 to 50 decisions, got {self.stack_spacing}")
        if not isinstance(self.actions, str):
            raise ValueError(f"actions must be the name of an action set, got {self.actions!r}")
        if self.actions:
            action_set(self.actions)

    @property
    def pictures(self) -> int:
        """How many of the last pictures an observation is taken from."""
        return (self.stack - 1) * self.stack_spacing + 1

    def deciding_every(self, frames: int) -> WorldSpec:
        """The same view of the world for a driver that changes its mind sooner.

        Args:
            frames: That a decision lasts then; pictures of an observation stay as far apart as they are.

        Raises:
            ValueError: If that does not divide `frame_skip`.
        """
        if frames < 1 or self.frame_skip % frames:
            raise ValueError(
                f"greedy_frame_skip must divide frame_skip ({self.frame_skip}), got {frames}"
            )
        spacing = self.stack_spacing * self.frame_skip // frames
        return replace(self, frame_skip=frames, stack_spacing=spacing)


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
        sideways: Its speed to either side then, world units per second; a car that grips has less than 4.
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
    sideways: float
    lap_done: bool = False


class World:
    """A simulator with a camera and an action set.

    Raises:
        ValueError: If there is no such camera.
    """

    def __init__(self, spec: WorldSpec, camera: CameraName = "fast") -> None:
        self.spec = spec
        self.simulator = Simulator()
        if camera not in CAMERAS:
            raise ValueError(f"camera must be {' or '.join(CAMERAS)}, got {camera!r}")
        self.camera: Camera = CAMERAS[camera](spec.height, spec.width)
        self._controls = action_set(spec.actions).table if spec.actions else None
        self._pictures = np.zeros((spec.pictures, spec.height, spec.width), np.uint8)  # [P, H, W]
        self.score = 0.0

    def start(self, track_seed: int, look: bool = True) -> None:
        """Put the car at the start of a track; `look` False leaves the first picture out."""
        self.simulator.start(track_seed)
        self._track = track_seed
        self.score = 0.0
        self._idle = 0
        self._visited = self.simulator.tile_visited_count
        self._out = False
        if look:
            self._pictures = np.repeat(self.picture()[None], self.spec.pictures, axis=0)

    def picture(self) -> NDArray[np.uint8]:
        """The present view, uint8 [H, W]."""
        return self.camera.picture(self.simulator)

    @property
    def observation(self) -> NDArray[np.uint8]:
        """The last K pictures, oldest first; at the start the first picture fills it. uint8 [K, H, W]."""
        return self._pictures[:: self.spec.stack_spacing]

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
        hull = self.simulator.car.hull
        speed = float(hull.linearVelocity.length)
        if not math.isfinite(speed):
            raise DrivingError(
                f"on track {self._track}, frame {self.simulator.frames}, the car's speed is {speed}"
            )
        self.score += reward
        self._out = terminated and not self.simulator.lap_done
        if look:
            self._pictures = np.concatenate([self._pictures[1:], self.picture()[None]])
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
            sideways=abs(float(hull.GetLocalVector(hull.linearVelocity)[0])),
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
