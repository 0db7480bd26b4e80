"""What agents ask of the rest of the program, which they know nothing of."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from agents.learning import Learning
from agents.network import NetworkSpec, Weights
from agents.replay import ReplaySpec, Trajectory
from agents.schedules import Exploration


class ViewLike(Protocol):
    """What an agent needs to know of the world: images in, actions out."""

    @property
    def observation_shape(self) -> tuple[int, int, int]:
        """(K, H, W)."""
        ...

    @property
    def action_set(self) -> Any:
        """The actions: a length, and `mirror`, int32 [A], their indices as seen in a mirror."""
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
    """N cars that gather experience, in this process or elsewhere."""

    def start(self, weights: Weights, epsilon: NDArray[np.float64]) -> None:
        """Ask every car to drive for a tick; returns at once where driving is elsewhere.

        Args:
            weights: Of the network that drives.
            epsilon: Exploration rate of every car, float64 [N].
        """
        ...

    def collect(self) -> Trajectory:
        """Wait for what was asked for: T decisions of N cars."""
        ...


class EpsilonGreedy(Protocol):
    """From action values to actions."""

    def __call__(
        self, q: NDArray[np.float32], epsilon: NDArray[np.float64], rng: np.random.Generator, /
    ) -> NDArray[np.int64]:
        """Q [N, A] and exploration rates [N] -> actions [N]."""
        ...
