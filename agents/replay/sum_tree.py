"""A sum tree: it samples indices in proportion to their values and updates values, in O(log n), vectorised."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class SumTree:
    """A binary tree in one array: the leaves are the values, and every other node is the sum of its two children.

    Args:
        size: Number of values, initially all 0.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._leaves = 1 << max(size - 1, 1).bit_length()
        self._nodes = np.zeros(2 * self._leaves, np.float64)  # root at 1, leaves from _leaves on

    @property
    def total(self) -> float:
        """Sum of all values."""
        return float(self._nodes[1])

    def get(self, index: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the values at `index`, float64 [n]."""
        values: NDArray[np.float64] = self._nodes[index + self._leaves]
        return values

    def set(self, index: NDArray[np.int64], value: NDArray[np.float64] | float) -> None:
        """Set values; if an index occurs twice, its last value counts.

        Args:
            index: int64 [n].
            value: float64 [n] or one value for all, not negative.
        """
        node = index + self._leaves
        self._nodes[node] = value
        while len(node) and node[0] > 1:
            node = node >> 1  # a shared parent is computed twice, with the same result
            self._nodes[node] = self._nodes[2 * node] + self._nodes[2 * node + 1]

    def find(self, mass: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the index whose interval each mass in [0, total) falls in, with values laid end to end, int64 [n]."""
        node = np.ones(len(mass), np.int64)
        mass = mass.copy()
        while node[0] < self._leaves:
            left = self._nodes[2 * node]
            # Rounding may put a mass just past the last value: never descend into an empty subtree.
            right = (mass >= left) & (self._nodes[2 * node + 1] > 0)
            mass -= np.where(right, left, 0)
            node = 2 * node + right
        return node - self._leaves

    def values(self) -> NDArray[np.float64]:
        """Return all values, float64 [size]."""
        return self._nodes[self._leaves : self._leaves + self.size].copy()
