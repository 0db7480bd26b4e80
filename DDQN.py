#!/usr/bin/env python3
"""Prioritised (Schaul et al. 2016) Double (van Hasselt et al. 2016) dueling (Wang et al. 2016) DQN; compare DQN.py.

Both scripts also use n-step returns, one exploration rate per car (Horgan et al. 2018), the Huber loss, gradient
clipping, and an average of the weights for driving. docs/algorithm.md explains these, docs/settings.md lists settings.
"""

from __future__ import annotations

import system.startup  # isort: skip  # noqa: F401

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.backend import tf
from agents.interfaces import Cars
from agents.learning import Learning, copy, move_average
from agents.losses import huber
from agents.network import NetworkSpec, QNetwork
from agents.q_agent import Metrics, QAgent
from agents.replay import PRIORITY_FLOOR, Batch, Priorities, PrioritisedReplay, ReplaySpec
from agents.schedules import Exploration
from racing.shaping import Shaping
from racing.spec import View
from training.main import main
from training.presets import LONG, SERVER, SMOKE
from training.settings import Flat, RunSettings, changed


@dataclass(frozen=True)
class Settings(RunSettings):
    """Train a prioritised Double DQN."""

    view: Flat[View] = View()
    shaping: Flat[Shaping] = Shaping()
    exploration: Flat[Exploration] = Exploration()
    replay: Flat[ReplaySpec] = ReplaySpec()
    priorities: Flat[Priorities] = Priorities()
    network: Flat[NetworkSpec] = NetworkSpec(dueling=True)
    learning: Flat[Learning] = Learning()


def epsilon_greedy(
    q: NDArray[np.float32], epsilon: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Pick the highest-valued action or, with probability epsilon, a random one: q [N, A], epsilon [N] -> [N]."""
    explore = rng.random(len(q)) < epsilon  # [N]
    anything = rng.integers(q.shape[1], size=len(q))  # [N]
    return np.where(explore, anything, q.argmax(axis=1))


def td_error(online: QNetwork, target: QNetwork, batch: Batch) -> tf.Tensor:
    """Double Q-learning's TD error: R + gamma^n Q_target(s', argmax_a Q_online(s', a)) - Q_online(s, a), [B]."""
    best = tf.argmax(online(batch.next_observation), axis=1)  # [B]
    next_value = tf.gather(target(batch.next_observation), best, axis=1, batch_dims=1)  # [B]
    td_target = batch.n_step_return + batch.discount * next_value  # [B]
    value = tf.gather(online(batch.observation), batch.action, axis=1, batch_dims=1)  # [B]
    return tf.stop_gradient(td_target) - value


class DDQN(QAgent[Settings, PrioritisedReplay]):
    """A DQN agent: what it learns from and when it updates."""

    td_error, epsilon_greedy = staticmethod(td_error), staticmethod(epsilon_greedy)

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        shape = settings.view.observation_shape
        self.replay = PrioritisedReplay(settings.replay, settings.cars, shape)

    def train(self, cars: Cars) -> Iterator[Metrics]:
        """The training loop: while the cars drive with the current weights, it learns from earlier experience."""
        while self.decisions < self.settings.decisions:
            cars.start(self.actor_weights(), self.epsilon)
            ready = self.replay.collected >= self.settings.replay.learning_starts
            metrics = self.learn() if ready else {}
            self.replay.extend(cars.collect())
            yield metrics

    def learn(self) -> Metrics:
        """Make one tick's updates, on batches sampled from the replay in one go."""
        updates, size = self.settings.learning.updates_per_tick, self.settings.replay.batch_size
        alpha, beta = self.settings.priorities.at(int(self.updates))
        batch, index, probability = self.replay.sample(updates, size, self.rng)
        weight = (len(self.replay) * probability) ** -beta  # corrects for sampling by priority
        weight = (weight / weight.max()).astype(np.float32)  # [updates * size]
        delta, metrics = self.repeat(batch, weight)
        priority = (np.abs(delta.astype(np.float64)) + PRIORITY_FLOOR) ** alpha
        self.replay.set_priorities(index, priority)
        return metrics | {"beta": beta}

    def update(self, batch: Batch, weight: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Make a gradient step on B transitions; returns TD errors [B], loss [] and gradient norm []."""
        learning, weights = self.settings.learning, self.online.trainable_variables
        with tf.GradientTape() as tape:
            delta = self.td_error(self.online, self.target, batch)  # [B]
            loss = tf.reduce_mean(weight * huber(delta, learning.huber_delta))  # []
        gradients = tape.gradient(loss, weights)
        self.optimizer.apply(gradients, weights)  # Adam; clips to max_grad_norm
        self.updates.assign_add(1)
        if self.updates % learning.target_update_period == 0:
            copy(self.online, self.target)
        move_average(self.average, self.online, learning.averaging(self.updates))
        return delta, loss, tf.linalg.global_norm(gradients)


PRESETS = {
    "default": Settings(),
    "long": changed(Settings(), **LONG, beta_updates=46_000),
    "server": changed(Settings(), **SERVER),
    "smoke": changed(Settings(), **SMOKE),
}

if __name__ == "__main__":
    main(DDQN, PRESETS)
