"""Uniform experience replay (Mnih et al. 2015)."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from agents.replay.store import Batch, FrameStore, Trajectory


class Replay(Protocol):
    """A memory to learn from."""

    store: FrameStore

    def extend(self, trajectory: Trajectory) -> None:
        """Remember."""
        ...

    def sample(self, batches: int, batch_size: int, beta: float, rng: np.random.Generator) -> Batch:
        """Draw `batches` batches at once, one after the other in the result.

        Args:
            batches: U.
            batch_size: B.
            beta: Exponent of the importance weights.
            rng: Chooses.

        Returns:
            U * B transitions.
        """
        ...

    def update_priorities(self, index: NDArray[np.int64], td_error: NDArray[np.float32]) -> None:
        """Say how surprising the transitions at `index`, int64 [B], were, [B]."""
        ...

    def get_state(self) -> dict[str, NDArray[np.float64]]:
        """All that is remembered beside the store."""
        ...

    def set_state(self, state: dict[str, NDArray[np.float64]]) -> None:
        """Put back what `get_state` gave; the store must be back already."""
        ...


class UniformReplay:
    """Every transition is as likely as every other."""

    def __init__(self, store: FrameStore) -> None:
        self.store = store

    def extend(self, trajectory: Trajectory) -> None:
        """Remember."""
        self.store.extend(trajectory)

    def sample(self, batches: int, batch_size: int, beta: float, rng: np.random.Generator) -> Batch:
        """Draw with replacement; `beta` has no effect, all importance weights are 1."""
        count = batches * batch_size
        first, last = self.store.oldest, self.store.newest
        index = np.zeros(0, np.int64)
        while len(index) < count:
            slot = rng.integers(first, last, size=count) % self.store.slots
            environment = rng.integers(self.store.environments, size=count)
            drawn = slot * self.store.environments + environment
            index = np.concatenate([index, drawn[~self.store.is_final(drawn)]])
        return self.store.batch(index[:count], np.ones(count, np.float32))

    def update_priorities(self, index: NDArray[np.int64], td_error: NDArray[np.float32]) -> None:
        """No priorities here."""

    def get_state(self) -> dict[str, NDArray[np.float64]]:
        """Nothing beside the store."""
        return {}

    def set_state(self, state: dict[str, NDArray[np.float64]]) -> None:
        """Nothing beside the store."""
