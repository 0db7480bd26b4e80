"""Loss functions."""

from __future__ import annotations

from agents.backend import tf


def huber(td_error: tf.Tensor, delta: float) -> tf.Tensor:
    """Huber loss (Huber 1964), [B] -> [B]: half the square of the error up to delta, linear beyond.

    With delta = 1, its gradient is the clipped error of Mnih et al. 2015. The minimum is at the mean of the targets
    if they are close together, but moves towards their median if they are far apart: the network then underestimates
    the cost of rare crashes.
    """
    size = tf.abs(td_error)
    return tf.where(size <= delta, 0.5 * tf.square(td_error), delta * (size - 0.5 * delta))
