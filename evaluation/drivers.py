"""Every driver by its name: `random`, `random-continuous`, `pid`, or a weight file."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agents.policy import Policy, RandomControls, RandomPolicy
from racing.actions import action_set
from racing.spec import WorldSpec

NAMED = ("random", "random-continuous", "pid")


@dataclass(frozen=True)
class Driver:
    """Somebody who can drive.

    Attributes:
        name: As given.
        world: How it meets the world.
        policy: Makes the policy for one episode on a track; what it draws depends on the track alone.
    """

    name: str
    world: WorldSpec
    policy: Callable[[int], Policy]


def check_driver(name: str) -> None:
    """Refuse what is no driver, without loading a network.

    Raises:
        ValueError: Saying what would be one.
    """
    if name in NAMED:
        return
    if not name.endswith(".safetensors"):
        raise ValueError(f"no driver {name!r}: use {', '.join(NAMED)} or a .safetensors file")
    if not Path(name).is_file():
        raise ValueError(f"{name}: no such file")


def load_driver(name: str) -> Driver:
    """Make a driver ready; one that learned computes as in every evaluation, on one thread of the CPU.

    Raises:
        ValueError: If there is none of that name, or its file is no weight file.
    """
    check_driver(name)
    if name == "random":
        world = WorldSpec()
        count = len(action_set(world.actions))
        return Driver(name, world, lambda track: RandomPolicy(count, np.random.default_rng(track)))
    if name == "random-continuous":
        world = WorldSpec(actions="")
        return Driver(name, world, lambda track: RandomControls(np.random.default_rng(track)))
    if name == "pid":
        from agents.pid import WORLD, PidPolicy

        fields: dict[str, Any] = dict(WORLD)
        return Driver(name, WorldSpec(**fields), lambda track: PidPolicy())
    return _learned(Path(name))


def _learned(path: Path) -> Driver:
    from agents.backend import set_up_tensorflow
    from agents.q_policy import QPolicy
    from agents.weights import WeightsError, unpack

    with contextlib.suppress(RuntimeError):  # too late: who uses it already has set it up
        set_up_tensorflow(threads=1, device="cpu")  # the same last bits wherever it drives
    network, card = unpack(path)
    try:
        world = WorldSpec(**card["world"])
        fits = len(action_set(world.actions)) == network.output_shape[1]
    except (KeyError, TypeError, ValueError) as e:
        raise WeightsError(f"{path}: its card describes no world ({e})") from None
    if not fits or network.input_shape[1:] != (world.stack, world.height, world.width):
        raise WeightsError(f"{path}: its network does not fit its world")
    policy = QPolicy(network)
    return Driver(str(path), world, lambda track: policy)
