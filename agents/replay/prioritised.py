"""Proportional prioritised experience replay (Schaul et al. 2016)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.replay.replay import Replay
from agents.replay.store import Batch, ReplaySpec, Trajectory
from agents.replay.sum_tree import SumTree
from agents.schedules import linear
from system.ranges import Probability, Updates

PRIORITY_FLOOR = 1e-3  # added to |TD error|, so that every transition can be drawn again


@dataclass(frozen=True)
class Priorities:
    """Prioritised sampling and its importance weights."""

    alpha: Probability = 0.5
    """Exponent of the priorities; 0 samples uniformly."""
    beta_start: Probability = 0.6
    """Initial exponent of the importance weights; 1 corrects fully for the non-uniform sampling."""
    beta_updates: Updates = 24_000
    """Updates until beta reaches 1; a default run makes only 7,500 and ends before that."""

    def at(self, updates: int) -> tuple[float, float]:
        """Return alpha, and beta after this many updates."""
        return self.alpha, linear(updates, self.beta_start, 1.0, self.beta_updates)


class PrioritisedReplay(Replay):
    """A transition is drawn with probability P(i) = priority_i / sum_k priority_k.

    New transitions get the highest priority so far, so that each is likely to be sampled at least once.

    Args:
        spec: Capacity, n-step return, discount.
        environments: Number of environments N, which advance in lockstep.
        observation_shape: (K, H, W).

    Raises:
        ValueError: If the capacity is too small for an image stack and an n-step return.
    """

    def __init__(
        self, spec: ReplaySpec, environments: int, observation_shape: tuple[int, int, int]
    ) -> None:
        super().__init__(spec, environments, observation_shape)
        self._tree = SumTree(self.store.length * environments)
        self._highest = 1.0
        self._open = (0, 0)  # the range of steps whose transitions have a priority

    def extend(self, trajectory: Trajectory) -> None:
        """Append a trajectory."""
        first, last = self._open
        super().extend(trajectory)
        oldest, newest = self.store.oldest, self.store.newest
        self._tree.set(self.store.indices(first, oldest), 0.0)
        known = self.store.indices(max(last, oldest), newest)
        self._tree.set(known[~self.store.is_final(known)], self._highest)
        self._open = (oldest, newest)

    def sample(
        self, batches: int, batch_size: int, rng: np.random.Generator
    ) -> tuple[Batch, NDArray[np.int64], NDArray[np.float64]]:
        """Draw `batches` batches at once, stratified: each has one transition from each of `batch_size` equal shares.

        Returns:
            The transitions, their indices, int64 [batches * batch_size], and the probability P(i) of drawing each,
            float64 [batches * batch_size].
        """
        total = self._tree.total
        share = (np.arange(batch_size) + rng.random((batches, batch_size))) / batch_size
        index = self._tree.find(share.reshape(-1) * total)  # [batches * batch_size]
        return self.store.batch(index), index, self._tree.get(index) / total

    def set_priorities(self, index: NDArray[np.int64], priority: NDArray[np.float64]) -> None:
        """Set the priorities of the transitions at `index`, int64 [B], to `priority`, float64 [B]."""
        self._tree.set(index, priority)
        self._highest = max(self._highest, float(priority.max()))

    def get_state(self) -> dict[str, NDArray[Any]]:
        """Return the priorities, float64 [capacity], and the highest one so far."""
        return {"priority": self._tree.values(), "highest": np.array([self._highest])}

    def set_state(self, state: dict[str, NDArray[Any]]) -> None:
        """Restore what `get_state` returned; the store must have been restored before."""
        self._tree.set(np.arange(self._tree.size), state["priority"])
        self._highest = float(state["highest"][0])
        self._open = (self.store.oldest, self.store.newest)
