"""Drives greedily with a Q-network, several cars at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from agents.backend import keras, tf
from agents.policy import Observation
from evaluation.split import PLACES, place


class NetworkDriver:
    """A Q-network that always computes batches of the same shape.

    The last bits of a matrix product depend on the shape of the batch, and may depend on the row. So a track has the
    same row in every batch, alone or with others: the actions then depend only on the driver and the track.

    Args:
        network: A model from uint8 [B, K, H, W] to float32 [B, A].
    """

    def __init__(self, network: keras.Model) -> None:
        self._shape = (PLACES, *network.input_shape[1:])
        signature = tf.TensorSpec(self._shape, tf.uint8)
        self._network = network  # the function keeps no reference to it
        # Of one signature only: TensorFlow need not look at each call's arguments to find the right function.
        function = tf.function(network, input_signature=[signature], autograph=False)
        self._values = function.get_concrete_function()

    def values(self, observations: Observation, tracks: Sequence[int]) -> NDArray[np.float32]:
        """Compute action values, float32 [n, A].

        Args:
            observations: Observations of n cars, uint8 [n, K, H, W].
            tracks: The tracks they drive on; no two may have the same place.
        """
        rows = [place(track) for track in tracks]
        batch = np.zeros(self._shape, np.uint8)
        batch[rows] = observations
        with tf.device("CPU"):
            values: NDArray[np.float32] = self._values(tf.constant(batch)).numpy()
        return values[rows]


class NetworkPolicy:
    """Drives one car with a network, always taking the highest-valued action."""

    def __init__(self, driver: NetworkDriver, track: int) -> None:
        self._driver, self._track = driver, track

    def reset(self) -> None:
        """Do nothing: this driver keeps no state."""

    def values(self, observations: Observation) -> NDArray[np.float32]:
        """Compute action values, uint8 [1, K, H, W] -> float32 [1, A]."""
        return self._driver.values(observations, [self._track])

    def act(self, observations: Observation) -> NDArray[np.int64]:
        """Return the index of the action, int64 [1]."""
        actions: NDArray[np.int64] = self.values(observations).argmax(axis=1)
        return actions
