"""The specification that all actors share, the network that a process drives with, and greedy drives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.backend import tf
from agents.interfaces import EpsilonGreedy
from agents.network import NetworkSpec, Weights, build_q_network
from racing.actions import action_set
from racing.driving import drive_together
from racing.episode import Episode, finished
from racing.shaping import Shaping
from racing.spec import WorldSpec
from racing.world import World

DEVICE = "CPU"  # for driving, even if a GPU learns, so that all processes compute the same values
FILM_EVERY = 4  # decisions between two images of a film


@dataclass(frozen=True)
class ActorSpec:
    """The specification that all actors of a run share; it can be sent to other processes.

    Attributes:
        world: The world that the training cars drive in.
        greedy_world: The world that the greedy driver drives in.
        network: The network that drives them.
        shaping: The reward shaping.
        cars: Number of cars per actor, which share a batch of the network.
        choose: The agent's epsilon-greedy function.
        make_world: Makes a world for a car.
    """

    world: WorldSpec
    greedy_world: WorldSpec
    network: NetworkSpec
    shaping: Shaping
    cars: int
    choose: EpsilonGreedy
    make_world: Callable[[WorldSpec], World] = World


@dataclass(frozen=True)
class Drive:
    """The result of a greedy drive over whole episodes.

    Attributes:
        episodes: One record per track, in order.
        film: Images of the first track, uint8 [n, H, W].
    """

    episodes: list[Episode]
    film: NDArray[np.uint8]


class DrivingNetwork:
    """The network that a process drives with.

    It processes observations in batches of `spec.cars`, however many cars this process drives: the last bits of a
    value depend on the shape of the batch, and must not depend on how the cars are distributed over processes.
    """

    def __init__(self, spec: ActorSpec) -> None:
        world = spec.world
        shape = (world.stack, world.height, world.width)
        actions = len(action_set(world.actions))
        with tf.device(DEVICE):
            self._network = build_q_network(spec.network, shape, actions, seed=0)
        self._batch = spec.cars

        def q(observations: tf.Tensor) -> tf.Tensor:
            batches = tf.reshape(observations, (-1, spec.cars, *shape))  # [N / B, B, K, H, W]
            values = tf.map_fn(
                self._network, batches, fn_output_signature=tf.float32, parallel_iterations=1
            )  # [N / B, B, A]
            return tf.reshape(values, (-1, actions))  # [N, A]

        signature = tf.TensorSpec((None, *shape), tf.uint8)
        self._q = tf.function(q, input_signature=[signature], autograph=False)

    def load(self, weights: Weights) -> None:
        """Load weights."""
        for variable in self._network.variables:
            variable.assign(weights[variable.path])

    def q(self, observations: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Compute action values, uint8 [N, K, H, W] -> float32 [N, A]."""
        count = len(observations)
        missing = -count % self._batch
        if missing:
            padding = np.zeros((missing, *observations.shape[1:]), np.uint8)
            observations = np.concatenate([observations, padding])
        with tf.device(DEVICE):
            values: NDArray[np.float32] = self._q(tf.constant(observations)).numpy()
        return values[:count]


def drive_greedily(
    spec: ActorSpec,
    network: DrivingNetwork,
    tracks: list[int],
    on_progress: Callable[[int], None] = lambda done: None,
) -> Drive:
    """Drive whole episodes without exploration, in lockstep, with the fast camera.

    Args:
        spec: Specification of the actors.
        network: The network that drives.
        tracks: Reset seeds.
        on_progress: Called after every decision with the number of cars that have finished.
    """
    worlds = [spec.make_world(spec.greedy_world) for _ in tracks]
    film: list[NDArray[np.uint8]] = []

    def act(observations: NDArray[np.uint8], cars: list[int]) -> NDArray[np.int64]:
        actions: NDArray[np.int64] = network.q(observations).argmax(axis=1)  # [n]
        return actions

    for decision, moments in enumerate(drive_together(worlds, tracks, act)):
        if 0 in moments and decision % FILM_EVERY == 0:
            film.append(moments[0].observation[-1])
        on_progress(sum(bool(world.end_reason) for world in worlds))
    episodes = [finished(world, track) for world, track in zip(worlds, tracks, strict=True)]
    return Drive(episodes, np.stack(film))
