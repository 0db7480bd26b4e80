"""A sum tree: draw an index in proportion to its value, change values, both in O(log n), many at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class SumTree:
    """A binary tree in one array; every node is the sum of its two children, the leaves are the values.

    Args:
        size: Number of values, all 0 at first.
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
        """Values at `index`, float64 [n]."""
        values: NDArray[np.float64] = self._nodes[index + self._leaves]
        return values

    def set(self, index: NDArray[np.int64], value: NDArray[np.float64] | float) -> None:
        """Set values; where an index comes twice, the last one counts.

        Args:
            index: int64 [n].
            value: float64 [n], not negative.
        """
        node = index + self._leaves
        self._nodes[node] = value
        while len(node) and node[0] > 1:
            node = node >> 1  # equal parents are summed twice, to the same result
            self._nodes[node] = self._nodes[2 * node] + self._nodes[2 * node + 1]

    def find(self, mass: NDArray[np.float64]) -> NDArray[np.int64]:
        """The index under which each mass in [0, total) falls when the values lie end to end, int64 [n]."""
        node = np.ones(len(mass), np.int64)
        mass = mass.copy()
        while node[0] < self._leaves:
            left = self._nodes[2 * node]
            # Rounding may leave a mass just past the last value: never walk into an empty subtree.
            right = (mass >= left) & (self._nodes[2 * node + 1] > 0)
            mass -= np.where(right, left, 0)
            node = 2 * node + right
        return node - self._leaves

    def values(self) -> NDArray[np.float64]:
        """All values, float64 [size]."""
        return self._nodes[self._leaves : self._leaves + self.size].copy()
