"""How a driver meets the world, and what comes of a decision. Imports no simulator: settings are read without one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Literal

from annotated_types import Interval, Unit

from racing.actions import ActionSet, action_set

CameraName = Literal["fast", "official"]
EndReason = Literal["", "lap", "out", "time", "stuck"]
IMAGE_WIDTH = IMAGE_HEIGHT = 96  # of the official camera, pixels


class DrivingError(ValueError):
    """Driving gave NaN or infinity; what and where."""


@dataclass(frozen=True)
class View:
    """What the agent sees and does."""

    height: Annotated[int, Interval(ge=8, le=IMAGE_HEIGHT), Unit("pixels")] = 48
    """Height of an image."""
    width: Annotated[int, Interval(ge=8, le=IMAGE_WIDTH), Unit("pixels")] = 48
    """Width of an image."""
    stack: Annotated[int, Interval(ge=1, le=16), Unit("images")] = 4
    """Images in an observation, frame_skip frames apart."""
    frame_skip: Annotated[int, Interval(ge=1, le=50), Unit("frames (1/50 s)")] = 4
    """Length of a decision: the action is held so long."""
    greedy_frame_skip: Annotated[int, Interval(ge=1, le=50), Unit("frames (1/50 s)")] = 2
    """The same for the greedy driver, which does better when it may change its mind sooner; divides frame_skip."""
    actions: str = "brisk"
    """Action set: brisk or stock."""

    def check(self) -> None:
        """Refuse an unknown action set, and frame skips that do not divide.

        Raises:
            ValueError: Naming the setting.
        """
        self.greedy_world()

    @property
    def action_set(self) -> ActionSet:
        """The actions, with their mirror images."""
        return action_set(self.actions)

    @property
    def observation_shape(self) -> tuple[int, int, int]:
        """(K, H, W): images, height, width."""
        return self.stack, self.height, self.width

    def world(self) -> WorldSpec:
        """How the cars that train meet the world."""
        return WorldSpec(self.height, self.width, self.stack, self.frame_skip, self.actions)

    def greedy_world(self) -> WorldSpec:
        """How the greedy driver meets it."""
        return self.world().deciding_every(self.greedy_frame_skip)


@dataclass(frozen=True)
class WorldSpec:
    """How a driver meets the world. Weights are only good for the world that they were trained in.

    Attributes:
        height: Height of an image, pixels.
        width: Width of an image, pixels.
        stack: Images in an observation.
        frame_skip: Frames (1/50 s) that a decision lasts.
        actions: Name of the action set; empty for a driver with continuous controls.
        stack_spacing: Decisions between two images of an observation.
    """

    height: int = 48
    width: int = 48
    stack: int = 4
    frame_skip: int = 4
    actions: str = "brisk"
    stack_spacing: int = 1

    def __post_init__(self) -> None:
        """Refuse values that are out of range.

        Raises:
            ValueError: Naming the field.
        """
        numbers = (self.height, self.width, self.stack, self.frame_skip, self.stack_spacing)
        if not all(type(n) is int for n in numbers):  # a weight file's card may say anything
            raise ValueError(f"a world is described by whole numbers, got {numbers}")
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
        """How many of the last images are kept to take an observation from."""
        return (self.stack - 1) * self.stack_spacing + 1

    def deciding_every(self, frames: int) -> WorldSpec:
        """The same view of the world for a driver that changes its mind sooner.

        Args:
            frames: That a decision lasts then; images of an observation stay as far apart as they are.

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
