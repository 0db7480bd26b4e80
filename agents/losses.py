"""Loss functions."""

from __future__ import annotations

from agents.backend import tf


def huber(td_error: tf.Tensor, delta: float) -> tf.Tensor:
    """Huber loss (Huber 1964), [B] -> [B]: half the square up to delta, linear beyond.

    With delta = 1 its gradient is the clipped error of Mnih et al. 2015. Its minimum lies at the mean of targets that
    are close together, but nearer the median of those that are far apart: a rare crash then counts for less than it
    costs.
    """
    size = tf.abs(td_error)
    return tf.where(size <= delta, 0.5 * tf.square(td_error), delta * (size - 0.5 * delta))
