"""The ancestor's three recipes: observations, actions, rewards, early termination, replay, learning.

They are reproduced including their faults: the target network starts with other weights than the online network, and an
episode that is given up is not stored as terminal. Only details that change no number are ours: uint8 images in the
replay, a compiled update.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from agents.backend import keras, tf

ACTIONS = np.array(
    list(product((-1.0, 0.0, 1.0), (0.0, 1.0), (0.0, 0.2)))
)  # steer, gas, brake [12, 3]
FRAMES_PER_ACTION = 3  # in training; 1 when tested
REPLAY_DECISIONS = 10_000
GAMMA = 0.95  # per decision
EPSILON_END, EPSILON_DECAY = 0.1, 0.9999  # starts at 1, decays per update
TARGET_UPDATE_PERIOD = 5  # episodes
ROAD_ROWS = 84  # of an image; below them are the indicators
Observation = NDArray[np.uint8]  # [96, 96, C]


@dataclass(frozen=True)
class Recipe:
    """What the three recipes differ in.

    Attributes:
        grey: Whether observations are grey levels divided by 255; otherwise raw RGB.
        double: Whether to use Double Q-learning.
        by_recency: Whether transitions are sampled by rank of age, the newest most often; otherwise uniformly.
        clip: Lowest and highest reward of a decision.
        batch_size: Transitions per update.
        dense: Units of the dense layers.
        lowest_score: A training episode is given up when its score falls to this value.
        negative_decisions: It is given up after this many decisions in a row with a negative reward.
        grass_decisions: It is given up after this many decisions in a row that ended on grass; never if None.
        needs_road: Whether it is given up when no road is in sight.
    """

    grey: bool
    double: bool
    by_recency: bool
    clip: tuple[float, float]
    batch_size: int
    dense: tuple[int, ...]
    lowest_score: float
    negative_decisions: int
    grass_decisions: int | None
    needs_road: bool


RECIPES = {
    "DQN": Recipe(False, False, False, (-np.inf, np.inf), 10, (216,), -5.0, 30, None, True),
    "DDQN1": Recipe(True, True, True, (-10.0, 1.0), 10, (216,), -5.0, 20, 5, False),
    "DDQN2": Recipe(True, True, True, (-10.0, 1.0), 20, (216, 64), -30.0, 25, None, False),
}


class Transition(NamedTuple):
    """A transition."""

    observation: Observation
    action: int
    reward: float
    next_observation: Observation
    terminal: bool


class Batch(NamedTuple):
    """B transitions: uint8 [B, 96, 96, C], int32 [B], float32 [B], uint8 [B, 96, 96, C], float32 [B] (1 or 0)."""

    observation: Observation
    action: NDArray[np.int32]
    reward: NDArray[np.float32]
    next_observation: Observation
    terminal: NDArray[np.float32]


class Patience:
    """Decides when a training episode is given up."""

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe
        self._negative = self._grass = 0

    def is_over(self, reward: float, score: float, on_grass: bool, rgb: Observation) -> bool:
        """Return whether the episode is given up after a decision.

        Args:
            reward: Raw reward of the decision.
            score: Raw score of the episode so far.
            on_grass: Whether no wheel is on the road.
            rgb: The current image, uint8 [96, 96, 3].
        """
        r = self._recipe
        self._negative = self._negative + 1 if reward < 0 else 0
        self._grass = self._grass + 1 if on_grass else 0
        return (
            score <= r.lowest_score
            or self._negative >= r.negative_decisions
            or (r.grass_decisions is not None and self._grass >= r.grass_decisions)
            or (r.needs_road and not road_in_sight(rgb))
        )


def road_in_sight(rgb: Observation) -> bool:
    """Return whether any pixel of the image has the colour of the road."""
    view = rgb[:ROAD_ROWS].astype(np.int16)
    bright = (view > 90) & (view < 120)  # [84, 96, 3]
    return bool((bright.all(axis=2) & (np.ptp(view, axis=2) < 6)).any())


def see(rgb: Observation, recipe: Recipe) -> Observation:
    """Convert an official image to the agent's observation, uint8 [96, 96, 3] -> [96, 96, C]."""
    if not recipe.grey:
        return rgb
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2GRAY), np.uint8)[
        ..., None
    ]


class Replay:
    """The replay of the last transitions."""

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe
        self.transitions: deque[Transition] = deque(maxlen=REPLAY_DECISIONS)

    def ranks(self, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Sample ranks of transitions, int64 [count]; 0 is the oldest."""
        known = len(self.transitions)
        if not self._recipe.by_recency:
            return rng.integers(known, size=count)
        return (known * np.sqrt(rng.random(count))).astype(np.int64)  # P(rank) ~ 2 rank + 1

    def sample(self, rng: np.random.Generator) -> Batch:
        """Sample a batch."""
        drawn = [self.transitions[i] for i in self.ranks(self._recipe.batch_size, rng)]
        return Batch(
            observation=np.stack([t.observation for t in drawn]),
            action=np.array([t.action for t in drawn], np.int32),
            reward=np.array([t.reward for t in drawn], np.float32),
            next_observation=np.stack([t.next_observation for t in drawn]),
            terminal=np.array([t.terminal for t in drawn], np.float32),
        )


def build_network(recipe: Recipe) -> keras.Model:
    """Build the network: two convolutions with max-pooling, dense layers, one linear value per action."""
    observations = keras.Input((96, 96, 1 if recipe.grey else 3), dtype="uint8")
    x = keras.layers.Rescaling(1 / 255 if recipe.grey else 1.0)(observations)
    x = keras.layers.Conv2D(6, 7, strides=3, activation="relu")(x)  # [B, 30, 30, 6]
    x = keras.layers.MaxPooling2D(2)(x)
    x = keras.layers.Conv2D(12, 4, activation="relu")(x)  # [B, 12, 12, 12]
    x = keras.layers.MaxPooling2D(2)(x)
    x = keras.layers.Flatten()(x)  # [B, 432]
    for units in recipe.dense:
        x = keras.layers.Dense(units, activation="relu")(x)
    return keras.Model(observations, keras.layers.Dense(len(ACTIONS))(x))


class Learner:
    """An online network, which drives and learns, and a target network, which values the next observation."""

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe
        self.online, self.target = build_network(recipe), build_network(recipe)
        self._optimizer = keras.optimizers.Adam(1e-3, epsilon=1e-7)
        self._optimizer.build(self.online.trainable_variables)
        self._values = tf.function(self.online)

    def best_action(self, observation: Observation) -> int:
        """Return the action with the highest value."""
        return int(self._values(tf.constant(observation[None])).numpy().argmax())

    def update_target(self) -> None:
        """Copy the online network's weights to the target network."""
        self.target.set_weights(self.online.get_weights())

    @tf.function  # type: ignore[untyped-decorator]
    def learn(self, batch: Batch) -> tf.Tensor:
        """Make one step of Adam; returns the loss before it."""
        rated = self.target(batch.next_observation)  # [B, 12]
        chosen_by = self.online(batch.next_observation) if self._recipe.double else rated
        best = tf.argmax(chosen_by, axis=1)  # [B]
        next_value = tf.gather(rated, best, axis=1, batch_dims=1)  # [B]
        goal = batch.reward + GAMMA * (1 - batch.terminal) * next_value  # [B]
        with tf.GradientTape() as tape:
            value = tf.gather(self.online(batch.observation), batch.action, axis=1, batch_dims=1)
            # The mean is over the outputs of all actions, of which only the chosen action has an error.
            loss = tf.reduce_mean(tf.square(goal - value)) / len(ACTIONS)
        variables = self.online.trainable_variables
        self._optimizer.apply(tape.gradient(loss, variables), variables)
        return loss
