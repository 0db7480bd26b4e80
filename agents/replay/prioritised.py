"""Proportional prioritised experience replay (Schaul et al. 2016)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agents.replay.store import Batch, FrameStore, Trajectory
from agents.replay.sum_tree import SumTree

PRIORITY_FLOOR = 1e-3  # added to |TD error|, so that nothing is never seen again


class PrioritisedReplay:
    """A transition is drawn with probability P(i) = p_i^alpha / sum_k p_k^alpha, p_i = |TD error| + floor.

    New transitions get the highest priority so far. The bias is corrected with importance weights
    w_i = (n P(i))^-beta, divided by the largest of the draw.

    Args:
        store: Where the experience is.
        alpha: How much priorities count; 0 is uniform.
    """

    def __init__(self, store: FrameStore, alpha: float) -> None:
        self.store, self.alpha = store, alpha
        self._tree = SumTree(store.slots * store.environments)
        self._highest = 1.0  # of p^alpha
        self._open = (0, 0)  # slots whose transitions have a priority

    def extend(self, trajectory: Trajectory) -> None:
        """Remember."""
        first, last = self._open
        self.store.extend(trajectory)
        oldest, newest = self.store.oldest, self.store.newest
        self._tree.set(self.store.indices(first, oldest), 0.0)
        known = self.store.indices(max(last, oldest), newest)
        self._tree.set(known[~self.store.is_final(known)], self._highest)
        self._open = (oldest, newest)

    def sample(self, batches: int, batch_size: int, beta: float, rng: np.random.Generator) -> Batch:
        """Draw `batches` batches at once: each one transition from each of `batch_size` equal shares."""
        total = self._tree.total
        share = (np.arange(batch_size) + rng.random((batches, batch_size))) / batch_size
        index = self._tree.find(share.reshape(-1) * total)  # [batches * batch_size]
        count = (self.store.newest - self.store.oldest) * self.store.environments
        weight = (count * self._tree.get(index) / total) ** -beta
        return self.store.batch(index, (weight / weight.max()).astype(np.float32))

    def update_priorities(self, index: NDArray[np.int64], td_error: NDArray[np.float32]) -> None:
        """Say how surprising the transitions at `index`, int64 [B], were: their TD errors, [B]."""
        value = (np.abs(td_error.astype(np.float64)) + PRIORITY_FLOOR) ** self.alpha
        self._tree.set(index, value)
        self._highest = max(self._highest, float(value.max()))

    def get_state(self) -> dict[str, NDArray[np.float64]]:
        """Priorities, float64 [capacity], and the highest so far."""
        return {"priority": self._tree.values(), "highest": np.array([self._highest])}

    def set_state(self, state: dict[str, NDArray[np.float64]]) -> None:
        """Put back what `get_state` gave; the store must be back already."""
        self._tree.set(np.arange(self._tree.size), state["priority"])
        self._highest = float(state["highest"][0])
        self._open = (self.store.oldest, self.store.newest)
