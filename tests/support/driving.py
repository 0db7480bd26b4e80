"""Scripted drivers that read the simulator instead of images."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from racing.actions import action_set
from racing.simulator import Simulator
from racing.world import World

LAP_TRACK = 8  # `pursue` completes a lap here in about 800 frames


def centres(simulator: Simulator) -> NDArray[np.float64]:
    """Centre of every tile, world units, float64 [tiles, 2]."""
    return np.array([tile[2:4] for tile in simulator.track])


def speed(simulator: Simulator) -> float:
    """World units per second."""
    return float(np.hypot(*simulator.car.hull.linearVelocity))


def bearing(simulator: Simulator, x: float, y: float) -> float:
    """Direction of a point as seen from the car: 0 ahead, positive to the right, radians."""
    hull = simulator.car.hull
    dx, dy = x - hull.position[0], y - hull.position[1]
    right = math.cos(hull.angle) * dx + math.sin(hull.angle) * dy
    ahead = -math.sin(hull.angle) * dx + math.cos(hull.angle) * dy
    return math.atan2(right, ahead)


def pursue(simulator: Simulator, fastest: float = 55.0, sway: float = 0.0) -> NDArray[np.float64]:
    """Follow the road, swaying about its middle: (steer, gas, brake)."""
    tiles = centres(simulator)
    here = np.array(simulator.car.hull.position)
    nearest = int(((tiles - here) ** 2).sum(axis=1).argmin())
    straight = 0.8 * bearing(simulator, *tiles[(nearest + 6) % len(tiles)])
    gas = 0.4 if speed(simulator) < fastest and abs(straight) < 0.3 else 0.0
    brake = 0.2 if speed(simulator) > 1.1 * fastest else 0.0
    steer = straight + sway * math.sin(simulator.frames / 40)
    return np.array([np.clip(steer, -1, 1), gas, brake])


def leave(simulator: Simulator) -> NDArray[np.float64]:
    """Drive away from the middle of the world: over its rim in about 200 frames."""
    x, y = simulator.car.hull.position
    steer = float(np.clip(bearing(simulator, 2 * x, 2 * y), -0.6, 0.6))
    return np.array([steer, 0.1 if speed(simulator) < 90 else 0.0, 0.0])


def random_actions(world: World, count: int, seed: int) -> list[int]:
    """Drive random actions, as many as the episode lasts, and tell which."""
    every, rng = len(action_set(world.spec.actions)), np.random.default_rng(seed)
    actions: list[int] = []
    while len(actions) < count and not world.end_reason:
        actions.append(int(rng.integers(every)))
        world.step(actions[-1])
    return actions
