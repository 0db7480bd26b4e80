"""The rivals' network: the layers of agents/network.py in PyTorch."""

from __future__ import annotations

from typing import Any

import torch  # type: ignore[import-not-found,unused-ignore]
from stable_baselines3.common.torch_layers import (  # type: ignore[import-not-found,unused-ignore]
    BaseFeaturesExtractor,
)
from torch import nn


def body(
    observation: tuple[int, int, int],
    convolutions: list[tuple[int, int, int]],
    dense: list[int],
) -> Any:
    """Make the layers from scaled pixels, float32 [B, K, H, W], to features, float32 [B, dense[-1]].

    Args:
        observation: Shape (K, H, W).
        convolutions: (filters, kernel size, stride) of each layer, pixels.
        dense: Units of each dense layer.
    """
    layers, channels = [], observation[0]
    for filters, kernel, stride in convolutions:
        layers += [nn.Conv2d(channels, filters, kernel, stride), nn.ReLU()]
        channels = filters
    layers.append(nn.Flatten())
    width = nn.Sequential(*layers)(torch.zeros(1, *observation)).shape[1]
    for units in dense:
        layers += [nn.Linear(width, units), nn.ReLU()]
        width = units
    return nn.Sequential(*layers)


class Extractor(BaseFeaturesExtractor):  # type: ignore[misc]
    """The same layers as a feature extractor of Stable-Baselines3, which scales the pixels itself."""

    def __init__(
        self,
        observation_space: Any,
        convolutions: list[tuple[int, int, int]],
        dense: list[int],
    ) -> None:
        super().__init__(observation_space, dense[-1])
        self.layers = body(observation_space.shape, convolutions, dense)

    def forward(self, pixels: Any) -> Any:
        """Compute features."""
        return self.layers(pixels)


def sb3_policy(network: dict[str, Any]) -> dict[str, Any]:
    """Return `policy_kwargs` for Stable-Baselines3's CnnPolicy: our layers, followed by one linear layer of values."""
    return {
        "features_extractor_class": Extractor,
        "features_extractor_kwargs": {k: network[k] for k in ("convolutions", "dense")},
        "net_arch": [],
    }


def parameters(module: Any) -> str:
    """Describe the number of parameters, in words."""
    return f"{sum(p.numel() for p in module.parameters())} parameters"
