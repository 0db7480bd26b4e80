"""Uniform experience replay (Mnih et al. 2015)."""

from __future__ import annotations

import numpy as np

from agents.replay.replay import Replay
from agents.replay.store import Batch


class UniformReplay(Replay):
    """A replay that samples all transitions with equal probability."""

    def sample(self, batches: int, batch_size: int, rng: np.random.Generator) -> Batch:
        """Draw `batches` batches of `batch_size` with replacement; the result holds them one after another."""
        count = batches * batch_size
        first, last = self.store.oldest, self.store.newest
        index = np.zeros(0, np.int64)
        while len(index) < count:
            position = rng.integers(first, last, size=count) % self.store.length
            environment = rng.integers(self.store.environments, size=count)
            drawn = position * self.store.environments + environment
            index = np.concatenate([index, drawn[~self.store.is_final(drawn)]])
        return self.store.batch(index[:count])
