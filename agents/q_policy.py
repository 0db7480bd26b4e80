"""Drive greedily by a Q-network."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agents.backend import keras, tf
from agents.policy import Observation


class QPolicy:
    """Takes the action of the highest value."""

    def __init__(self, network: keras.Model) -> None:
        self._values = tf.function(network, autograph=False)

    def reset(self) -> None:
        """An episode begins; nothing to forget."""

    def values(self, observations: Observation) -> NDArray[np.float32]:
        """Action values, uint8 [N, K, H, W] -> float32 [N, A]."""
        values: NDArray[np.float32] = self._values(tf.constant(observations)).numpy()
        return values

    def act(self, observations: Observation) -> NDArray[np.int64]:
        """Action indices, int64 [N]."""
        actions: NDArray[np.int64] = self.values(observations).argmax(axis=1)
        return actions
