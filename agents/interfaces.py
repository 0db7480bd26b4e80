"""The interfaces through which agents use the rest of the program; they import none of it."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from agents.learning import Learning
from agents.network import NetworkSpec, Weights
from agents.replay import ReplaySpec, Trajectory
from agents.schedules import Exploration


class ViewLike(Protocol):
    """What an agent needs to know about the world: the shape of observations, and the actions."""

    @property
    def observation_shape(self) -> tuple[int, int, int]:
        """(K, H, W): number of images, height, width."""
        ...

    @property
    def action_set(self) -> Any:
        """The action set: it has a length A, and `mirror`, int32 [A], the index of each action's mirror image."""
        ...


class AgentSettings(Protocol):
    """The settings that every agent reads."""

    # Read-only, so that frozen settings fit.
    @property
    def seed(self) -> int: ...  # noqa: D102
    @property
    def cars(self) -> int: ...  # noqa: D102
    @property
    def decisions(self) -> int: ...  # noqa: D102
    @property
    def view(self) -> ViewLike: ...  # noqa: D102
    @property
    def exploration(self) -> Exploration: ...  # noqa: D102
    @property
    def replay(self) -> ReplaySpec: ...  # noqa: D102
    @property
    def network(self) -> NetworkSpec: ...  # noqa: D102
    @property
    def learning(self) -> Learning: ...  # noqa: D102


class Cars(Protocol):
    """N cars that collect experience, in this process or elsewhere."""

    def start(self, weights: Weights, epsilon: NDArray[np.float64]) -> None:
        """Ask every car to drive for a tick; returns at once if the cars drive in other processes.

        Args:
            weights: Weights of the network that drives.
            epsilon: Exploration rate of every car, float64 [N].
        """
        ...

    def collect(self) -> Trajectory:
        """Wait for the experience of the tick, T steps of N cars, and return it."""
        ...


class EpsilonGreedy(Protocol):
    """A function that chooses actions from action values."""

    def __call__(
        self, q: NDArray[np.float32], epsilon: NDArray[np.float64], rng: np.random.Generator, /
    ) -> NDArray[np.int64]:
        """Choose an action for every car: Q-values [N, A], exploration rates [N] -> actions [N]."""
        ...
