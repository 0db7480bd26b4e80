"""The Q-network: it maps images to one value per action."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from annotated_types import Interval
from numpy.typing import NDArray

from agents.backend import keras

Size = Annotated[int, Interval(ge=1, le=10**9)]
Weights = dict[str, NDArray[np.float32]]
QNetwork = Callable[[Any], Any]  # observations uint8 [B, K, H, W] -> values float32 [B, A]


@dataclass(frozen=True)
class NetworkSpec:
    """The Q-network's layers."""

    dueling: bool
    """Split the head into a state value and action advantages (Wang et al. 2016)."""
    convolutions: tuple[tuple[Size, Size, Size], ...] = ((16, 6, 3), (32, 4, 2))
    """Convolutional layers: (filters, kernel size in pixels, stride in pixels) of each."""
    dense: tuple[Size, ...] = (384,)
    """Number of units of each dense layer."""


def weights_of(network: keras.Model) -> Weights:
    """Return copies of a network's weights, by name."""
    return {v.path: np.array(v.numpy()) for v in network.variables}


def weight_shapes(
    spec: NetworkSpec, observation_shape: tuple[int, int, int], actions: int
) -> dict[str, tuple[int, ...]]:
    """Compute the shapes of the weights of `build_q_network`, by name, without building the network.

    Raises:
        ValueError: If a convolution does not fit into what is left of the image.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    for name, kernel, _ in _layers(spec, observation_shape, actions):
        shapes[f"{name}/kernel"], shapes[f"{name}/bias"] = kernel, kernel[-1:]
    return shapes


def activations(spec: NetworkSpec, observation_shape: tuple[int, int, int], actions: int) -> int:
    """Count the outputs of all layers for one observation."""
    return sum(outputs for *_, outputs in _layers(spec, observation_shape, actions))


def _layers(
    spec: NetworkSpec, observation_shape: tuple[int, int, int], actions: int
) -> Iterator[tuple[str, tuple[int, ...], int]]:
    """Yield name, kernel shape and number of outputs of every layer with weights."""
    channels, *size = observation_shape
    for i, (filters, kernel, stride) in enumerate(spec.convolutions):
        if min(size) < kernel:
            raise ValueError(f"a {kernel}x{kernel} kernel does not fit into {tuple(size)} pixels")
        size = [(pixels - kernel) // stride + 1 for pixels in size]
        yield f"conv_{i}", (kernel, kernel, channels, filters), math.prod(size) * filters
        channels = filters
    features = math.prod(size) * channels
    for i, units in enumerate(spec.dense):
        yield f"dense_{i}", (features, units), units
        features = units
    for name, units in (
        (("value", 1), ("advantage", actions)) if spec.dueling else (("q", actions),)
    ):
        yield name, (features, units), units


def build_q_network(
    spec: NetworkSpec, observation_shape: tuple[int, int, int], actions: int, seed: int
) -> keras.Model:
    """Build a Q-network with random initial weights.

    The dueling head is that of Wang et al. 2016, eq. 9: Q = V + A - mean(A).

    Args:
        spec: The layers.
        observation_shape: (K, H, W): number of images, height, width.
        actions: Number of actions A.
        seed: Seed of the initial weights.

    Returns:
        A model from uint8 [B, K, H, W] to float32 [B, A].

    Raises:
        ValueError: If a convolution does not fit into what is left of the image.
    """
    weight_shapes(spec, observation_shape, actions)  # raises if the layers do not fit
    rng = np.random.default_rng(seed)

    def he() -> keras.initializers.Initializer:
        return keras.initializers.HeUniform(seed=int(rng.integers(2**31)))

    pixels = keras.Input(observation_shape, dtype="uint8", name="observation")  # [B, K, H, W]
    x = keras.layers.Permute((2, 3, 1))(pixels)  # [B, H, W, K]
    x = keras.layers.Rescaling(1 / 255)(x)
    for i, (filters, kernel, stride) in enumerate(spec.convolutions):
        x = keras.layers.Conv2D(
            filters, kernel, stride, activation="relu", kernel_initializer=he(), name=f"conv_{i}"
        )(x)  # [B, H', W', filters]
    x = keras.layers.Flatten()(x)
    for i, units in enumerate(spec.dense):
        x = keras.layers.Dense(
            units, activation="relu", kernel_initializer=he(), name=f"dense_{i}"
        )(x)  # [B, units]
    if spec.dueling:
        value = keras.layers.Dense(1, kernel_initializer=he(), name="value")(x)  # [B, 1]
        advantage = keras.layers.Dense(actions, kernel_initializer=he(), name="advantage")(x)
        q = value + advantage - keras.ops.mean(advantage, axis=1, keepdims=True)  # [B, A]
    else:
        q = keras.layers.Dense(actions, kernel_initializer=he(), name="q")(x)  # [B, A]
    return keras.Model(pixels, q, name="q_network")
