"""What everything that drives has in common."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Observation = NDArray[np.uint8]  # [K, H, W], or [N, K, H, W] for a batch


class Policy(Protocol):
    """A driver. It sees observations and nothing else."""

    def reset(self) -> None:
        """An episode begins."""
        ...

    def act(self, observations: Observation) -> NDArray[Any]:
        """Decide.

        Args:
            observations: uint8 [N, K, H, W].

        Returns:
            Action indices, int [N], or controls (steer, gas, brake), float64 [N, 3].
        """
        ...


class RandomPolicy:
    """Uniform over the actions."""

    def __init__(self, actions: int, rng: np.random.Generator) -> None:
        self._actions, self._rng = actions, rng

    def reset(self) -> None:
        """An episode begins; nothing to forget."""

    def act(self, observations: Observation) -> NDArray[np.int64]:
        """Action indices, int64 [N]."""
        return self._rng.integers(self._actions, size=len(observations))


class RandomControls:
    """Uniform over the raw continuous controls."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def reset(self) -> None:
        """An episode begins; nothing to forget."""

    def act(self, observations: Observation) -> NDArray[np.float64]:
        """Controls (steer, gas, brake), float64 [N, 3]."""
        return self._rng.uniform((-1.0, 0.0, 0.0), 1.0, size=(len(observations), 3))
