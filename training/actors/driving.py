"""The network that a process drives with, and whole greedy drives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.backend import keras, tf
from agents.learner import Weights
from agents.network import NetworkSpec, build_q_network
from racing.actions import action_set
from racing.episode import Episode, finished
from racing.shaping import Shaping
from racing.world import DrivingError, World, WorldSpec

DEVICE = "CPU"  # of driving, also where a GPU learns: every process then finds the same values
FILM_EVERY = 4  # decisions between two pictures of a film


@dataclass(frozen=True)
class ActorSpec:
    """What every actor of a run has in common.

    Attributes:
        world: How the cars meet the world that train.
        greedy_world: How the greedy driver meets it.
        network: What drives them.
        shaping: What training pays.
        cars: Of an actor.
        retry_share: Share of episodes on a track that a car failed on before, while there are any.
    """

    world: WorldSpec
    greedy_world: WorldSpec
    network: NetworkSpec
    shaping: Shaping
    cars: int
    retry_share: float


@dataclass(frozen=True)
class Drive:
    """Whole greedy episodes.

    Attributes:
        episodes: One record per track.
        film: Pictures of the first track, uint8 [n, H, W].
    """

    episodes: list[Episode]
    film: NDArray[np.uint8]


class DrivingNetwork:
    """The network of a process, to drive with: one batch shape, whatever the number of cars that still run."""

    def __init__(self, spec: ActorSpec) -> None:
        world = spec.world
        shape = (world.stack, world.height, world.width)
        actions = len(action_set(world.actions))
        with tf.device(DEVICE):
            self._network: keras.Model = build_q_network(spec.network, shape, actions, seed=0)
        signature = tf.TensorSpec((spec.cars, *shape), tf.uint8)
        self._values = tf.function(self._network, input_signature=[signature], autograph=False)

    def load(self, weights: Weights) -> None:
        """Take weights over."""
        for variable in self._network.variables:
            variable.assign(weights[variable.path])

    def values(self, observations: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Action values, uint8 [N, K, H, W] -> float32 [N, A].

        Raises:
            DrivingError: If one is not finite, or the observations are not pictures.
        """
        if observations.dtype != np.uint8:
            raise DrivingError(f"an observation is {observations.dtype}, not uint8 pictures")
        with tf.device(DEVICE):
            values: NDArray[np.float32] = self._values(tf.constant(observations)).numpy()
        if not np.isfinite(values).all():
            raise DrivingError("the network's action values are not finite")
        return values


def drive_greedily(
    spec: ActorSpec, network: DrivingNetwork, weights: Weights, tracks: list[int]
) -> Drive:
    """Whole episodes without exploration, on at most N tracks, under the fast camera."""
    network.load(weights)
    worlds = [World(spec.greedy_world) for _ in tracks]
    for world, track in zip(worlds, tracks, strict=True):
        world.start(track)
    observations = np.zeros(
        (spec.cars, spec.world.stack, spec.world.height, spec.world.width), np.uint8
    )
    running, film, decisions = list(range(len(tracks))), [], 0
    while running:
        if running[0] == 0 and decisions % FILM_EVERY == 0:
            film.append(worlds[0].observation[-1])
        decisions += 1
        for i in running:
            observations[i] = worlds[i].observation
        actions = network.values(observations).argmax(axis=1)  # [N]
        steps = {i: worlds[i].decide(int(actions[i])) for i in running}
        running = [i for i in running if not (steps[i].terminated or steps[i].truncated)]
    episodes = [finished(world, track) for world, track in zip(worlds, tracks, strict=True)]
    return Drive(episodes, np.stack(film))
