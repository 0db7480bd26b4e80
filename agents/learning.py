"""The settings of the update, and its helper functions: weight copies, weight averages, mirrored transitions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, Unit
from numpy.typing import NDArray

from agents.backend import keras, tf
from agents.replay import Batch
from agents.schedules import linear
from system.ranges import NotNegative, Positive, Probability, Updates


@dataclass(frozen=True)
class Learning:
    """How it learns."""

    updates_per_tick: Annotated[int, Ge(1), Unit("updates")] = 20
    """Updates per tick, that is, while every car makes steps_per_tick decisions."""
    learning_rate: NotNegative = 1e-3
    """Adam's step size at the start."""
    learning_rate_end: NotNegative = 2e-5
    """Adam's step size after learning_rate_updates."""
    learning_rate_updates: Updates = 7_500
    """Updates over which the step size falls linearly; the default is the length of a default run, so raise it for
    longer ones."""
    adam_epsilon: NotNegative = 1e-4
    """Adam's epsilon."""
    huber_delta: Positive = 4.0
    """TD error above which the loss is linear; the cost of rare crashes with larger errors is underestimated."""
    max_grad_norm: Positive = 10.0
    """Global norm that the gradient is clipped to."""
    target_update_period: Annotated[int, Ge(1), Unit("updates")] = 400
    """Updates between two copies of the online network to the target network."""
    ema_rate: Probability = 0.0004
    """Rate of the moving average of the online weights, which drives the cars (Polyak & Juditsky 1992). While
    10 / (updates + 10) is larger, it is used instead, so that the average spans a tenth of the updates so far."""
    mirror: bool = True
    """Mirror each transition with probability 1/2 before learning from it: the world is symmetric."""

    def rate(self, updates: int) -> float:
        """Return Adam's step size after this many updates."""
        return linear(
            updates, self.learning_rate, self.learning_rate_end, self.learning_rate_updates
        )

    def averaging(self, updates: tf.Tensor) -> tf.Tensor:
        """Return the rate of the moving average after this many updates, int64 [] -> float32 []."""
        return tf.maximum(self.ema_rate, 10.0 / (tf.cast(updates, tf.float32) + 10.0))


def copy(online: keras.Model, target: keras.Model) -> None:
    """Copy the online network's weights to the target network."""
    for ours, theirs in zip(target.variables, online.variables, strict=True):
        ours.assign(theirs)


def move_average(average: keras.Model, online: keras.Model, rate: tf.Tensor) -> None:
    """Move the averaged weights towards the online ones: m <- m + rate (w - m)."""
    for mean, new in zip(average.variables, online.variables, strict=True):
        mean.assign_add(rate * (new - mean))


def mirrored(batch: Batch, mirror: NDArray[np.int32], flip: NDArray[np.bool_]) -> Batch:
    """Replace the transitions selected by `flip` with their mirror images.

    Args:
        batch: Transitions, changed in place.
        mirror: For each action, the index of its mirror image, int32 [A].
        flip: Which transitions to mirror, bool [B].
    """
    for images in (batch.observation, batch.next_observation):
        images[flip] = images[flip][..., ::-1]
    batch.action[flip] = mirror[batch.action[flip]]
    return batch
