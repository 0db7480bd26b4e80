"""The learner: an online network that learns, a target network that lags behind, an average that drives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.backend import keras, tf
from agents.replay.store import Batch
from agents.td import TdError, huber

# The average spans a tenth of the updates made so far, until average_rate spans fewer.
AVERAGED_PART = 10.0
Weights = dict[str, NDArray[np.float32]]


@dataclass(frozen=True)
class LearnerSpec:
    """How the learner learns.

    Attributes:
        batch_size: Transitions per update.
        updates_per_call: Updates of one call of `learn`; the replay's priorities are those of its beginning.
        target_update_period: Updates between two copies of the online to the target network.
        average_rate: Share of the online weights that every update adds to the averaged weights, once the run is
            long; before, AVERAGED_PART / updates, so that the average spans a tenth of the run.
        huber_threshold: TD error from which on the loss grows no faster than the error.
        gradient_clip_norm: The gradient is shortened to this global norm.
        adam_epsilon: Adam's epsilon.
    """

    batch_size: int
    updates_per_call: int
    target_update_period: int
    average_rate: float
    huber_threshold: float
    gradient_clip_norm: float
    adam_epsilon: float


@dataclass(frozen=True)
class Learned:
    """What a call of `learn` did: means over its updates, and the TD error of every transition.

    Attributes:
        td_error: float32 [U * B] (updates, batch size), in the order of the batch.
        loss: Mean weighted Huber loss.
        gradient_norm: Mean global norm of the gradient before clipping.
    """

    td_error: NDArray[np.float32]
    loss: float
    gradient_norm: float


class Learner:
    """Minimises the Huber loss of the TD error with Adam.

    The target network is a copy of the online one from up to `target_update_period` updates ago (Mnih et al. 2015).
    What drives is an average of the online weights w, m <- m + rate (w - m), which has less noise than the last of them
    (Polyak & Juditsky 1992).

    Args:
        make_network: Builds a Q-network; called three times; target and average start with the online weights.
        td_error: Q-learning or Double Q-learning.
        spec: How it learns.
        mirror: Action indices as seen in a mirror, int [A], to learn from every second transition
            mirrored (the world is symmetric); None to take them as they came.
    """

    def __init__(
        self,
        make_network: Callable[[], keras.Model],
        td_error: TdError,
        spec: LearnerSpec,
        mirror: NDArray[np.int32] | None,
    ) -> None:
        self.spec = spec
        self._td_error, self._mirror = td_error, mirror
        self.online, self.target, self.average = make_network(), make_network(), make_network()
        self.target.set_weights(self.online.get_weights())
        self.average.set_weights(self.online.get_weights())
        self._optimizer = keras.optimizers.Adam(
            1e-4,
            epsilon=spec.adam_epsilon,
            global_clipnorm=spec.gradient_clip_norm,
            name="adam",  # or the names of its slots depend on what else is in the process
        )
        self._optimizer.build(self.online.trainable_variables)
        self._updates = tf.Variable(0, dtype=tf.int64)

    @property
    def updates(self) -> int:
        """Updates since the beginning of the run."""
        return int(self._updates)

    def learn(self, batch: Batch, learning_rate: float, rng: np.random.Generator) -> Learned:
        """Make `updates_per_call` updates.

        Args:
            batch: U * B transitions: updates_per_call batches of batch_size.
            learning_rate: Adam's.
            rng: Decides which transitions are mirrored.

        Returns:
            TD errors and means.
        """
        self._optimizer.learning_rate.assign(learning_rate)
        if self._mirror is not None:
            batch = mirrored(batch, self._mirror, rng.random(len(batch.action)) < 0.5)
        shape = (self.spec.updates_per_call, self.spec.batch_size)
        batches = Batch._make(x.reshape(*shape, *x.shape[1:]) for x in batch)  # [U, B, ...]
        td_error, loss, norm = self._train(batches)
        return Learned(td_error.numpy().reshape(-1), float(loss), float(norm))

    @tf.function  # type: ignore[untyped-decorator]
    def _train(self, batches: Batch) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        updates, size = self.spec.updates_per_call, self.spec.batch_size
        td_errors = tf.TensorArray(tf.float32, updates, element_shape=(size,))
        loss_sum, norm_sum = tf.constant(0.0), tf.constant(0.0)
        for u in tf.range(updates):
            td_error, loss, norm = self._update(Batch._make(x[u] for x in batches))
            td_errors = td_errors.write(u, td_error)
            loss_sum, norm_sum = loss_sum + loss, norm_sum + norm
        return td_errors.stack(), loss_sum / updates, norm_sum / updates  # [U, B], [], []

    def _update(self, batch: Batch) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        variables = self.online.trainable_variables
        with tf.GradientTape() as tape:
            td_error = self._td_error(self.online, self.target, batch)  # [B]
            loss = tf.reduce_mean(batch.weight * huber(td_error, self.spec.huber_threshold))
        gradients = tape.gradient(loss, variables)
        self._optimizer.apply(gradients, variables)
        self._updates.assign_add(1)
        if self._updates % self.spec.target_update_period == 0:
            for ours, theirs in zip(self.target.variables, self.online.variables, strict=True):
                ours.assign(theirs)
        count = tf.cast(self._updates, tf.float32)
        rate = tf.maximum(self.spec.average_rate, AVERAGED_PART / (count + AVERAGED_PART))
        for mean, new in zip(self.average.variables, self.online.variables, strict=True):
            mean.assign_add(rate * (new - mean))
        return td_error, loss, tf.linalg.global_norm(gradients)

    def driving_weights(self) -> Weights:
        """The averaged weights, by name."""
        return weights_of(self.average)

    def get_state(self) -> dict[str, NDArray[Any]]:
        """Everything that the next update depends on."""
        state = {f"optimizer/{v.path}": np.array(v.numpy()) for v in self._optimizer.variables}
        for role, network in self._networks().items():
            state |= {f"{role}/{name}": array for name, array in weights_of(network).items()}
        return state | {"updates": np.array(self.updates)}

    def set_state(self, state: dict[str, NDArray[Any]]) -> None:
        """Put back what `get_state` gave."""
        for role, network in self._networks().items():
            for v in network.variables:
                v.assign(state[f"{role}/{v.path}"])
        for v in self._optimizer.variables:
            v.assign(state[f"optimizer/{v.path}"])
        self._updates.assign(int(state["updates"]))

    def _networks(self) -> dict[str, keras.Model]:
        return {"online": self.online, "target": self.target, "average": self.average}


def mirrored(batch: Batch, mirror: NDArray[np.int32], flip: NDArray[np.bool_]) -> Batch:
    """Replace the transitions where `flip`, bool [B], by what they are in a mirror.

    Args:
        batch: Transitions, changed in place.
        mirror: Action indices as seen in a mirror, int [A].
        flip: Which transitions.
    """
    for pictures in (batch.observation, batch.next_observation):
        pictures[flip] = pictures[flip][..., ::-1]
    batch.action[flip] = mirror[batch.action[flip]]
    return batch


def weights_of(network: keras.Model) -> Weights:
    """Copies of a network's weights, by name."""
    return {v.path: np.array(v.numpy()) for v in network.variables}
