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


def huber(td_error: tf.Tensor) -> tf.Tensor:
    """Huber loss with threshold 1, [B] -> [B]: the clipped error of Mnih et al. 2015."""
    size = tf.abs(td_error)
    return tf.where(size <= 1.0, 0.5 * tf.square(td_error), size - 0.5)


def advantage_learning(td_error: TdError, alpha: float) -> TdError:
    """Widen the gap between the best action and the others (Bellemare et al. 2016, eq. 11).

    delta_AL = delta - alpha * (max_a Q_target(s, a) - Q_target(s, action))

    One decision of 0.08 s changes little of what is to come, so the values of all actions lie close together, and a
    small error of the network turns into a wrong decision. This operator pushes them apart and keeps the best action.

    Args:
        td_error: Q-learning or Double Q-learning.
        alpha: How far, 0 (not at all) to 1.

    Returns:
        A TD error of the same kind.
    """
    if alpha == 0:
        return td_error

    def widened(online: Network, target: Network, batch: Batch) -> tf.Tensor:
        q = target(batch.observation)  # [B, A]
        value = tf.gather(q, batch.action, axis=1, batch_dims=1)  # [B]
        gap = tf.stop_gradient(tf.reduce_max(q, axis=1) - value)  # [B]
        return td_error(online, target, batch) - alpha * gap

    return widened
