"""Whole episodes, from reset to end. The policy is passed in; what came of every action is handed out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from racing.spec import Step
from racing.world import World

Act = Callable[[World], Any]
"""Decides for one car: an action index, or (steer, gas, brake)."""
ActTogether = Callable[[NDArray[np.uint8], list[int]], Sequence[Any] | NDArray[Any]]
"""Decides for n cars: from their observations, uint8 [n, K, H, W], and their indices to n actions."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A decision, after it was carried out.

    Attributes:
        observation: What it was taken from, uint8 [K, H, W].
        action: An action index, or (steer, gas, brake).
        step: What came of it.
    """

    observation: NDArray[np.uint8]
    action: Any
    step: Step


def drive(
    world: World, track: int | None, act: Act, hold: int = 1, render: bool = True
) -> Iterator[Moment]:
    """One whole episode.

    Args:
        world: To drive in.
        track: Reset seed; None if the world was reset already.
        act: Decides.
        hold: World steps that an action lasts. To watch every frame of a driver that decides every fourth
            one, make a world whose steps are one frame, and hold each action for four.
        render: Whether observations are taken; if not, `act` has to ask the simulator.

    Yields:
        A moment after every step of the world; `world` is then as that step left it.
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
    """Whole episodes of several cars in step, each on its track, until the last one ends.

    Args:
        worlds: One per car.
        tracks: Reset seeds, one per car.
        act: Decides for the cars that still run. A batch of one shape, if that is needed, is its business.

    Yields:
        The moments of the cars that ran, by their indices.
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
