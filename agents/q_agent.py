"""The base class of the value-based agents. The steps of each algorithm are in the scripts, not here."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar, Generic, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from agents.backend import keras, tf
from agents.interfaces import AgentSettings, Cars, EpsilonGreedy
from agents.learning import mirrored
from agents.network import Weights, build_q_network, weights_of
from agents.replay import Batch, Replay

S = TypeVar("S", bound=AgentSettings)
R = TypeVar("R", bound=Replay)
Metrics = dict[str, float]


class NotFiniteError(ValueError):
    """A loss or a gradient is NaN or infinite."""


class QAgent(ABC, Generic[S, R]):
    """Holds everything that the next update depends on: the networks, Adam, counters and random generators.

    Args:
        settings: The settings of the run.

    Attributes:
        online: The network that learns.
        target: A copy of the online network, up to `target_update_period` updates old (Mnih et al. 2015).
        average: A moving average of the online weights; the cars drive with it.
        updates: Number of updates so far, int64 [].
        rng: Random generator for sampling from the replay.
    """

    replay: R
    epsilon_greedy: EpsilonGreedy
    _declared: ClassVar[dict[type, type[QAgent[Any, Any]]]] = {}

    def __init_subclass__(cls) -> None:
        """Register `class Agent(QAgent[Settings])` as the agent for these settings."""
        super().__init_subclass__()
        for base in cls.__dict__.get("__orig_bases__", ()):
            for settings in get_args(base):
                QAgent._declared[settings] = cls

    @staticmethod
    def declared_for(settings: type) -> type[QAgent[Any, Any]]:
        """Return the agent that was declared for a class of settings.

        Raises:
            ValueError: If no agent was declared for it.
        """
        if settings not in QAgent._declared:
            raise ValueError(f"no agent was declared for {settings.__name__}: name one")
        return QAgent._declared[settings]

    def __init__(self, settings: S) -> None:
        self.settings = settings
        shape, actions = settings.view.observation_shape, settings.view.action_set
        self.online, self.target, self.average = (
            build_q_network(settings.network, shape, len(actions), settings.seed) for _ in range(3)
        )
        self.optimizer = keras.optimizers.Adam(
            1e-4,
            epsilon=settings.learning.adam_epsilon,
            global_clipnorm=settings.learning.max_grad_norm,
            name="adam",  # otherwise the names of its slots depend on what else the process has created
        )
        self.optimizer.build(self.online.trainable_variables)
        self.updates = tf.Variable(0, dtype=tf.int64)
        sampling, mirroring = np.random.SeedSequence(settings.seed).spawn(2)
        self.rng, self._mirror_rng = (
            np.random.default_rng(sampling),
            np.random.default_rng(mirroring),
        )
        self._mirror = actions.mirror if settings.learning.mirror else None
        self._repeat = tf.function(self._repeat_in_graph)

    @abstractmethod
    def train(self, cars: Cars) -> Iterator[Metrics]:
        """Run the training loop until all decisions are made: drive, learn, store; yields the metrics of each tick."""

    @abstractmethod
    def update(self, batch: Batch, *more: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Make one gradient step; returns TD errors [B], loss [] and gradient norm []."""

    @property
    def decisions(self) -> int:
        """Decisions that all cars together have made since the start of the run."""
        return self.replay.decisions

    @property
    def epsilon(self) -> NDArray[np.float64]:
        """The current exploration rate of every car, float64 [N]."""
        return self.settings.exploration.epsilon(self.decisions, self.settings.cars)

    def actor_weights(self) -> Weights:
        """The averaged weights, by name."""
        return weights_of(self.average)

    def repeat(self, batch: Batch, *more: NDArray[Any]) -> tuple[NDArray[np.float32], Metrics]:
        """Make all updates of a tick in one graph call, with about half of the transitions mirrored.

        Args:
            batch: U * B transitions: updates_per_tick batches of batch_size.
            more: Further arguments of `update`, each [U * B].

        Returns:
            TD errors, float32 [U * B], and metrics averaged over the updates.

        Raises:
            NotFiniteError: If the loss or the gradient is NaN or infinite.
        """
        learning, updates = self.settings.learning, int(self.updates)
        rate = learning.rate(updates)
        self.optimizer.learning_rate.assign(rate)
        if self._mirror is not None:
            flip = self._mirror_rng.random(len(batch.action)) < 0.5
            batch = mirrored(batch, self._mirror, flip)
        shape = (learning.updates_per_tick, self.settings.replay.batch_size)
        arrays: tuple[NDArray[Any], ...] = (*batch, *more)
        parts = tuple(x.reshape(*shape, *x.shape[1:]) for x in arrays)  # [U, B, ...] each
        td_error, loss, norm = self._repeat(parts)
        metrics = {
            "loss": float(loss),
            "td_error": float(np.abs(td_error.numpy()).mean()),
            "gradient_norm": float(norm),
            "learning_rate": rate,
        }
        if not math.isfinite(metrics["loss"] + metrics["gradient_norm"]):
            raise NotFiniteError(
                f"in the last {shape[0]} updates the mean loss is {metrics['loss']}"
                f" and the gradient's mean norm {metrics['gradient_norm']}"
            )
        return td_error.numpy().reshape(-1), metrics

    def _repeat_in_graph(
        self, parts: tuple[tf.Tensor, ...]
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        updates, size = self.settings.learning.updates_per_tick, self.settings.replay.batch_size
        td_errors = tf.TensorArray(tf.float32, updates, element_shape=(size,))
        loss_sum, norm_sum = tf.constant(0.0), tf.constant(0.0)
        fields = len(Batch._fields)
        for u in tf.range(updates):
            now = [x[u] for x in parts]  # [B, ...] each
            td_error, loss, norm = self.update(Batch(*now[:fields]), *now[fields:])
            td_errors = td_errors.write(u, td_error)
            loss_sum, norm_sum = loss_sum + loss, norm_sum + norm
        return td_errors.stack(), loss_sum / updates, norm_sum / updates  # [U, B], [], []

    def get_state(self) -> dict[str, NDArray[Any]]:
        """Return everything that the next update depends on, except the frames and the random generators."""
        state = {
            f"learner/optimizer/{v.path}": np.array(v.numpy()) for v in self.optimizer.variables
        }
        for role, network in self._networks().items():
            state |= {
                f"learner/{role}/{name}": array for name, array in weights_of(network).items()
            }
        state |= {f"replay/{name}": array for name, array in self.replay.get_state().items()}
        return state | {"learner/updates": np.array(int(self.updates))}

    def set_state(self, state: dict[str, NDArray[Any]]) -> None:
        """Restore what `get_state` returned; the frames must have been restored before."""
        for role, network in self._networks().items():
            for v in network.variables:
                v.assign(state[f"learner/{role}/{v.path}"])
        for v in self.optimizer.variables:
            v.assign(state[f"learner/optimizer/{v.path}"])
        self.updates.assign(int(state["learner/updates"]))
        prefix = "replay/"
        replay = {k.removeprefix(prefix): a for k, a in state.items() if k.startswith(prefix)}
        self.replay.set_state(replay)

    @property
    def generators(self) -> dict[str, np.random.Generator]:
        """The random generators, by their names in checkpoints."""
        return {"sampling_rng": self.rng, "mirror_rng": self._mirror_rng}

    def _networks(self) -> dict[str, keras.Model]:
        return {"online": self.online, "target": self.target, "average": self.average}
