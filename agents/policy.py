"""The interface of all drivers, and the random drivers."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Observation = NDArray[np.uint8]  # [K, H, W], or [N, K, H, W] for a batch


class Policy(Protocol):
    """A driver, which sees nothing but observations."""

    def reset(self) -> None:
        """Prepare for a new episode."""
        ...

    def act(self, observations: Observation) -> NDArray[Any]:
        """Choose an action for each observation.

        Args:
            observations: uint8 [N, K, H, W].

        Returns:
            Action indices, int [N], or controls (steer, gas, brake), float64 [N, 3].
        """
        ...


class RandomPolicy:
    """Chooses uniformly among the actions."""

    def __init__(self, actions: int, rng: np.random.Generator) -> None:
        self._actions, self._rng = actions, rng

    def reset(self) -> None:
        """Do nothing: this driver keeps no state."""

    def act(self, observations: Observation) -> NDArray[np.int64]:
        """Return random action indices, int64 [N]."""
        return self._rng.integers(self._actions, size=len(observations))


class RandomControls:
    """Chooses uniformly among the continuous controls."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def reset(self) -> None:
        """Do nothing: this driver keeps no state."""

    def act(self, observations: Observation) -> NDArray[np.float64]:
        """Return random controls (steer, gas, brake), float64 [N, 3]."""
        return self._rng.uniform((-1.0, 0.0, 0.0), 1.0, size=(len(observations), 3))
