"""The settings of the update, and the parts of it that are no lesson: copies, averages, mirror images."""

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
    """Updates while every car makes steps_per_tick decisions."""
    learning_rate: NotNegative = 1e-3
    """Adam's step size at first."""
    learning_rate_end: NotNegative = 2e-5
    """Adam's step size after learning_rate_updates."""
    learning_rate_updates: Updates = 7_500
    """Updates from the first step size to the last: as many as a default run makes; a longer one wants more."""
    adam_epsilon: NotNegative = 1e-4
    """Adam's epsilon."""
    huber_delta: Positive = 4.0
    """TD error beyond which the loss grows no faster than the error; a rare crash beyond it is underrated."""
    max_grad_norm: Positive = 10.0
    """The gradient is clipped to this global norm."""
    target_update_period: Annotated[int, Ge(1), Unit("updates")] = 400
    """Updates between two copies of the online to the target network."""
    ema_rate: Probability = 0.0004
    """Share of the online weights that each update adds to the averaged weights, which drive (Polyak & Juditsky
    1992); 10 / (updates + 10) while that is more, so that the average spans a tenth of the run."""
    mirror: bool = True
    """Learn from every second transition as seen in a mirror: the world is symmetric."""

    def rate(self, updates: int) -> float:
        """Adam's step size after so many updates."""
        return linear(
            updates, self.learning_rate, self.learning_rate_end, self.learning_rate_updates
        )

    def averaging(self, updates: tf.Tensor) -> tf.Tensor:
        """The averaged weights' rate at an update, int64 [] -> float32 []."""
        return tf.maximum(self.ema_rate, 10.0 / (tf.cast(updates, tf.float32) + 10.0))


def copy(online: keras.Model, target: keras.Model) -> None:
    """Give the target network the online network's weights."""
    for ours, theirs in zip(target.variables, online.variables, strict=True):
        ours.assign(theirs)


def move_average(average: keras.Model, online: keras.Model, rate: tf.Tensor) -> None:
    """Move the averaged weights towards the online ones: m <- m + rate (w - m)."""
    for mean, new in zip(average.variables, online.variables, strict=True):
        mean.assign_add(rate * (new - mean))


def mirrored(batch: Batch, mirror: NDArray[np.int32], flip: NDArray[np.bool_]) -> Batch:
    """Replace the transitions where `flip` by what they are in a mirror.

    Args:
        batch: Transitions, changed in place.
        mirror: Action indices as seen in a mirror, int32 [A].
        flip: Which transitions, bool [B].
    """
    for images in (batch.observation, batch.next_observation):
        images[flip] = images[flip][..., ::-1]
    batch.action[flip] = mirror[batch.action[flip]]
    return batch
