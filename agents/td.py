"""Temporal-difference errors and their loss, as pure functions."""

from __future__ import annotations

from collections.abc import Callable

from agents.backend import tf
from agents.replay.store import Batch

Network = Callable[[tf.Tensor], tf.Tensor]  # observations [B, K, H, W] -> values [B, A]
TdError = Callable[[Network, Network, Batch], tf.Tensor]


def q_learning(online: Network, target: Network, batch: Batch) -> tf.Tensor:
    """TD error of Q-learning with a fixed target network (Mnih et al. 2015, algorithm 1).

    delta = R + discount * max_a Q_target(s', a) - Q_online(s, action)

    Args:
        online: The network that learns.
        target: The network that rates what comes after.
        batch: Transitions, B of them.

    Returns:
        TD error, float32 [B].
    """
    next_value = tf.reduce_max(target(batch.next_observation), axis=1)  # [B]
    return _td_error(online, batch, next_value)


def double_q_learning(online: Network, target: Network, batch: Batch) -> tf.Tensor:
    """TD error of Double Q-learning (van Hasselt et al. 2016, eq. 4): one network chooses, the other rates.

    delta = R + discount * Q_target(s', argmax_a Q_online(s', a)) - Q_online(s, action)

    Args:
        online: The network that learns, and that chooses the next action.
        target: The network that rates the next action.
        batch: Transitions, B of them.

    Returns:
        TD error, float32 [B].
    """
    best = tf.argmax(online(batch.next_observation), axis=1)  # [B]
    next_value = tf.gather(target(batch.next_observation), best, axis=1, batch_dims=1)  # [B]
    return _td_error(online, batch, next_value)


def _td_error(online: Network, batch: Batch, next_value: tf.Tensor) -> tf.Tensor:
    target = batch.n_step_return + batch.discount * next_value  # [B]
    value = tf.gather(online(batch.observation), batch.action, axis=1, batch_dims=1)  # [B]
    return tf.stop_gradient(target) - value


def huber(td_error: tf.Tensor, threshold: float) -> tf.Tensor:
    """Huber loss, [B] -> [B]: half the square up to the threshold, linear beyond.

    Threshold 1 is the clipped error of Mnih et al. 2015. Its minimum lies at the mean of targets that are close
    together, but nearer the median of those that are far apart: a rare crash then counts for less than it costs.
    """
    size = tf.abs(td_error)
    return tf.where(
        size <= threshold, 0.5 * tf.square(td_error), threshold * (size - 0.5 * threshold)
    )
