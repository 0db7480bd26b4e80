"""Observations, actions and step results of a world. Imports no simulator, so that settings can be read without it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Literal

from annotated_types import Interval, Unit

from racing.actions import ActionSet, action_set

CameraName = Literal["fast", "official"]
EndReason = Literal["", "lap", "out", "time", "stuck"]
IMAGE_WIDTH = IMAGE_HEIGHT = 96  # official camera, pixels


class DrivingError(ValueError):
    """Driving produced NaN or infinity; the message says what and where."""


@dataclass(frozen=True)
class View:
    """What the agent sees and does."""

    height: Annotated[int, Interval(ge=8, le=IMAGE_HEIGHT), Unit("pixels")] = 48
    """Height of the images that the agent sees."""
    width: Annotated[int, Interval(ge=8, le=IMAGE_WIDTH), Unit("pixels")] = 48
    """Width of the images that the agent sees."""
    stack: Annotated[int, Interval(ge=1, le=16), Unit("images")] = 4
    """Number of images in an observation, frame_skip frames apart."""
    frame_skip: Annotated[int, Interval(ge=1, le=50), Unit("frames (1/50 s)")] = 4
    """Length of a decision: each action is held for this many frames."""
    greedy_frame_skip: Annotated[int, Interval(ge=1, le=50), Unit("frames (1/50 s)")] = 2
    """Length of a decision of the greedy driver, which scores higher with shorter ones; must divide frame_skip."""
    actions: str = "brisk"
    """Action set: brisk or stock."""
    gauges: bool = True
    """Show speed, steering and rate of turn below the road; otherwise these rows are black."""

    def check(self) -> None:
        """Check that the action set exists, and that greedy_frame_skip divides frame_skip.

        Raises:
            ValueError: If not; the message names the setting.
        """
        self.greedy_world()

    @property
    def action_set(self) -> ActionSet:
        """The action set, with the mirror images of its actions."""
        return action_set(self.actions)

    @property
    def observation_shape(self) -> tuple[int, int, int]:
        """(K, H, W): number of images, height, width."""
        return self.stack, self.height, self.width

    def world(self) -> WorldSpec:
        """Return the specification of the world that the training cars drive in."""
        size = self.height, self.width
        return WorldSpec(*size, self.stack, self.frame_skip, self.actions, gauges=self.gauges)

    def greedy_world(self) -> WorldSpec:
        """Return the specification of the world that the greedy driver drives in."""
        return self.world().deciding_every(self.greedy_frame_skip)


@dataclass(frozen=True)
class WorldSpec:
    """The observations and actions of a driver. Weights only work in the kind of world that they were trained in.

    Attributes:
        height: Height of an image, pixels.
        width: Width of an image, pixels.
        stack: Number of images in an observation.
        frame_skip: Length of a decision, frames (1/50 s).
        actions: Name of the action set; empty for a driver with continuous controls.
        stack_spacing: Decisions between two images of an observation.
        gauges: Whether the gauges are shown below the road.
    """

    height: int = 48
    width: int = 48
    stack: int = 4
    frame_skip: int = 4
    actions: str = "brisk"
    stack_spacing: int = 1
    gauges: bool = True

    def __post_init__(self) -> None:
        """Check the ranges of all fields.

        Raises:
            ValueError: If a value is out of range; the message names the field.
        """
        numbers = (self.height, self.width, self.stack, self.frame_skip, self.stack_spacing)
        if not all(type(n) is int for n in numbers):  # a weight file's card may contain anything
            raise ValueError(f"a world is described by whole numbers, got {numbers}")
        if type(self.gauges) is not bool:
            raise ValueError(f"gauges must be true or false, got {self.gauges!r}")
        if not 8 <= self.height <= IMAGE_HEIGHT or not 8 <= self.width <= IMAGE_WIDTH:
            raise ValueError(
                f"an image must be 8x8 to {IMAGE_HEIGHT}x{IMAGE_WIDTH} pixels,"
                f" got {self.height}x{self.width}"
            )
        if not 1 <= self.stack <= 16:
            raise ValueError(f"stack must be 1 to 16 images, got {self.stack}")
        if not 1 <= self.frame_skip <= 50:
            raise ValueError(f"frame_skip must be 1 to 50 frames, got {self.frame_skip}")
        if not 1 <= self.stack_spacing <= 50:
            raise ValueError(f"stack_spacing must be 1 to 50 decisions, got {self.stack_spacing}")
        if not isinstance(self.actions, str):
            raise ValueError(f"actions must be the name of an action set, got {self.actions!r}")
        if self.actions:
            action_set(self.actions)

    @property
    def history(self) -> int:
        """Number of past images to keep for an observation."""
        return (self.stack - 1) * self.stack_spacing + 1

    def deciding_every(self, frames: int) -> WorldSpec:
        """Return a specification with the same observations, but shorter decisions.

        Args:
            frames: The new length of a decision, frames. The images of an observation stay as far apart in time.

        Raises:
            ValueError: If `frames` does not divide `frame_skip`.
        """
        if frames < 1 or self.frame_skip % frames:
            raise ValueError(
                f"greedy_frame_skip must divide frame_skip ({self.frame_skip}), got {frames}"
            )
        spacing = self.stack_spacing * self.frame_skip // frames
        return replace(self, frame_skip=frames, stack_spacing=spacing)


@dataclass(frozen=True, slots=True)
class Step:
    """The result of one decision.

    Attributes:
        reward: Sum of the simulator's own rewards.
        terminated: Whether the lap ended or the car left the playfield.
        truncated: Whether the time limit cut the episode off.
        frames: Number of frames that the decision lasted.
        grass_frames: Number of these frames with no wheel on the road.
        missed_tiles: Number of tiles that the car has passed without touching them.
        idle_frames: Number of frames since the last new tile.
        speed: The car's speed at the end, world units per second.
        sideways: Its sideways speed at the end, world units per second; below 4 unless the tyres slip.
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
