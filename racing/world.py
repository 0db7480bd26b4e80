"""The environment of one car: it takes actions, and returns observations, rewards and other results."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from racing.actions import action_set
from racing.camera import FastCamera
from racing.official_camera import Camera, OfficialCamera
from racing.simulator import TIME_LIMIT_FRAMES, Simulator
from racing.spec import CameraName, DrivingError, EndReason, Step, WorldSpec

CAMERAS: dict[str, type[FastCamera | OfficialCamera]] = {
    "fast": FastCamera,
    "official": OfficialCamera,
}


class World:
    """A simulator with a camera and an action set.

    Raises:
        ValueError: If there is no camera of that name.
    """

    def __init__(self, spec: WorldSpec, camera: CameraName = "fast") -> None:
        self.spec = spec
        self.simulator = Simulator()
        if camera not in CAMERAS:
            raise ValueError(f"camera must be {' or '.join(CAMERAS)}, got {camera!r}")
        self.camera: Camera = CAMERAS[camera](spec.height, spec.width, spec.gauges)
        self._controls = action_set(spec.actions).table if spec.actions else None
        self._images = np.zeros((spec.history, spec.height, spec.width), np.uint8)  # [P, H, W]
        self.score = 0.0

    def reset(self, track_seed: int, render: bool = True) -> None:
        """Put the car at the start of a track; without `render`, the observation is not updated."""
        self.simulator.start(track_seed)
        self._track = track_seed
        self.score = 0.0
        self._idle = 0
        self._visited = self.simulator.tile_visited_count
        self._out = False
        if render:
            self._images = np.repeat(self.render()[None], self.spec.history, axis=0)

    def render(self) -> NDArray[np.uint8]:
        """Return the current camera image, uint8 [H, W]."""
        return self.camera.render(self.simulator)

    @property
    def observation(self) -> NDArray[np.uint8]:
        """The last K images, oldest first, uint8 [K, H, W]; after a reset, K copies of the first image."""
        return self._images[:: self.spec.stack_spacing]

    def step(self, action: int | NDArray[np.float64], render: bool = True) -> Step:
        """Hold one action for `frame_skip` frames, or until the episode ends.

        Args:
            action: An index into the action set, or (steer, gas, brake).
            render: Whether to take an image at the end. Without it, the observation is not updated.

        Raises:
            DrivingError: If the car's speed is NaN or infinite; the engine would then count every tile as touched.
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
        if render:
            self._images = np.concatenate([self._images[1:], self.render()[None]])
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
        """Whether the time limit has been reached."""
        return self.simulator.frames >= TIME_LIMIT_FRAMES

    @property
    def end_reason(self) -> EndReason:
        """Why the episode ended; empty while it goes on."""
        if self._out:
            return "out"
        if self.simulator.lap_done:
            return "lap"
        return "time" if self.time_is_up else ""
