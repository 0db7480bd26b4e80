"""Drives whole episodes with a given policy, and yields the result of every action."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from racing.spec import Step
from racing.world import World

Act = Callable[[World], Any]
"""Chooses the action of one car: an action index, or (steer, gas, brake)."""
ActTogether = Callable[[NDArray[np.uint8], list[int]], Sequence[Any] | NDArray[Any]]
"""Chooses n actions for n cars, from their observations, uint8 [n, K, H, W], and their indices."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A decision and its result.

    Attributes:
        observation: The observation that it is based on, uint8 [K, H, W].
        action: An action index, or (steer, gas, brake).
        step: Its result.
    """

    observation: NDArray[np.uint8]
    action: Any
    step: Step


def drive(
    world: World, track: int | None, act: Act, hold: int = 1, render: bool = True
) -> Iterator[Moment]:
    """Drive one whole episode.

    Args:
        world: The world to drive in.
        track: Reset seed; None if the world has been reset already.
        act: Chooses the actions.
        hold: Number of world steps that an action lasts. To watch every frame of a driver that decides every
            fourth frame, use a world whose steps are one frame, and hold each action for four.
        render: Whether to update observations; if not, `act` has to query the simulator.

    Yields:
        A moment after every step of the world; `world` is in the state after that step.
    """
    if track is not None:
        world.reset(track, render=render)
    while not world.end_reason:
        observation, action = world.observation, act(world)
        for left in reversed(range(hold)):
            yield Moment(observation, action, world.step(action, render=render and left == 0))
            if world.end_reason:
                return


def drive_together(
    worlds: Sequence[World], tracks: Sequence[int], act: ActTogether
) -> Iterator[dict[int, Moment]]:
    """Drive whole episodes of several cars in lockstep, each on its own track, until the last one ends.

    Args:
        worlds: One world per car.
        tracks: Reset seeds, one per car.
        act: Chooses actions for the cars whose episodes go on; n shrinks as episodes end.

    Yields:
        The moments of the cars that made this step, by car index.
    """
    for world, track in zip(worlds, tracks, strict=True):
        world.reset(track)
    while running := [i for i, world in enumerate(worlds) if not world.end_reason]:
        observations = np.stack([worlds[i].observation for i in running])  # [n, K, H, W]
        actions = act(observations, running)
        yield {
            i: Moment(observation, action, worlds[i].step(action))
            for i, observation, action in zip(running, observations, actions, strict=True)
        }
