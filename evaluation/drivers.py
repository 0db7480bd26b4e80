"""Every driver by its name: `random`, `random-continuous`, `pid`, or a weight file."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from agents.policy import Observation, Policy, RandomControls, RandomPolicy
from evaluation.split import learned
from racing.actions import action_set
from racing.driving import Act, ActTogether
from racing.spec import WorldSpec
from racing.world import World

if TYPE_CHECKING:
    from evaluation.network_driver import NetworkDriver

NAMED = ("random", "random-continuous", "pid")


@dataclass(frozen=True)
class Driver:
    """A driver that can be evaluated.

    Attributes:
        name: The name it was loaded by.
        world: The world that it drives in.
        policy: Makes the policy for one episode on a track; its random numbers depend only on the track.
        network: The network of a trained driver, which drives several cars at once; otherwise None.
    """

    name: str
    world: WorldSpec
    policy: Callable[[int], Policy]
    network: NetworkDriver | None = None

    def acting_on(self, tracks: Sequence[int]) -> ActTogether:
        """Return a function that drives one car on each of these tracks, for `racing.driving.drive_together`."""
        if network := self.network:

            def greedily(observations: Observation, cars: list[int]) -> NDArray[np.int64]:
                values = network.values(observations, [tracks[i] for i in cars])  # [n, A]
                actions: NDArray[np.int64] = values.argmax(axis=1)
                return actions

            return greedily
        policies = [self.policy(track) for track in tracks]
        for policy in policies:
            policy.reset()

        def each(observations: Observation, cars: list[int]) -> list[Any]:
            return [
                policies[i].act(observation[None])[0]
                for i, observation in zip(cars, observations, strict=True)
            ]

        return each


def acting(policy: Policy) -> Act:
    """Return a function that drives one car with a policy, from the start of an episode."""
    policy.reset()

    def act(world: World) -> Any:
        return policy.act(world.observation[None])[0]

    return act


def check_driver(name: str) -> None:
    """Check the name of a driver, without loading a network.

    Raises:
        ValueError: If there is no such driver; the message lists the possible ones.
    """
    if name in NAMED:
        return
    if not learned(name):
        raise ValueError(f"no driver {name!r}: use {', '.join(NAMED)} or a .safetensors file")
    if not Path(name).is_file():
        raise ValueError(f"{name}: no such file")


def load_driver(name: str) -> Driver:
    """Load a driver; a trained one computes on one CPU thread, as in every evaluation.

    Raises:
        ValueError: If there is no driver of that name, or its file is not a weight file.
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
    from agents.weights import WeightsError, unpack
    from evaluation.network_driver import NetworkDriver, NetworkPolicy

    with contextlib.suppress(RuntimeError):  # TensorFlow is already in use, and set up
        set_up_tensorflow(threads=1, device="cpu")  # the same results to the last bit everywhere
    network, card = unpack(path)
    try:
        world = WorldSpec(**card["world"])
        fits = len(action_set(world.actions)) == network.output_shape[1]
    except (KeyError, TypeError, ValueError) as e:
        raise WeightsError(f"{path}: its card does not describe a world ({e})") from None
    if not fits or network.input_shape[1:] != (world.stack, world.height, world.width):
        raise WeightsError(f"{path}: its network does not fit its world")
    driver = NetworkDriver(network)
    return Driver(str(path), world, lambda track: NetworkPolicy(driver, track), driver)
