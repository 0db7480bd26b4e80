"""Weight files: pure data (safetensors), with a card that describes the network and the world they are for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from agents.backend import keras
from agents.network import NetworkSpec, Weights, build_q_network, weight_shapes
from system.ranges import check_fields

LARGEST_BYTES = 64 * 2**20  # the networks of this program take about 1.5 MB
FORMAT = "carracing-dqn-1"


class WeightsError(ValueError):
    """A file cannot be used as weights; the message says why."""


def pack(weights: Weights, card: dict[str, Any]) -> bytes:
    """Return the content of a weight file: weights, and a card with at least `network`, `observation`, `actions`."""
    return bytes(save(weights, metadata={"format": FORMAT, "card": json.dumps(card)}))


def repack(path: Path, card: dict[str, Any]) -> bytes:
    """Return the content of a weight file with its card replaced.

    Raises:
        WeightsError: If the file is not a weight file.
    """
    return pack(_read(path)[1], card)


def unpack(path: Path) -> tuple[keras.Model, dict[str, Any]]:
    """Read a weight file.

    Args:
        path: Path of a safetensors file.

    Returns:
        The network with its weights, and the card.

    Raises:
        WeightsError: If the file is missing, damaged, of another kind, or its weights do not fit its card.
    """
    card, weights = _read(path)
    try:
        spec = network_from(card["network"])
        stack, height, width = (int(n) for n in card["observation"])
        shape, actions = (stack, height, width), int(card["actions"])
        if min(*shape, actions) < 1:
            raise ValueError("sizes are at least 1")
        expected = weight_shapes(spec, shape, actions)
    except (KeyError, TypeError, ValueError, ArithmeticError) as e:  # a stride may be 0
        raise WeightsError(f"{path}: its card does not describe a network ({e})") from None
    found = {name: array.shape for name, array in weights.items()}
    if expected != found:
        wrong = sorted(k for k in expected | found if expected.get(k) != found.get(k))
        raise WeightsError(
            f"{path}: weights of another architecture: {wrong[0]} should be"
            f" {expected.get(wrong[0], 'absent')}, is {found.get(wrong[0], 'absent')}"
        )
    network = build_q_network(spec, shape, actions, seed=0)  # only after its size was checked
    for variable in network.variables:
        array = weights[variable.path]
        if array.dtype != np.float32 or not np.isfinite(array).all():
            raise WeightsError(f"{path}: {variable.path} is not finite float32")
        variable.assign(array)
    return network, card


def read_card(path: Path) -> dict[str, Any]:
    """Return the card of a weight file.

    Raises:
        WeightsError: If the file is not a weight file.
    """
    return _read(path)[0]


def network_from(data: dict[str, Any]) -> NetworkSpec:
    """Parse a network's layers from JSON data.

    Raises:
        KeyError, TypeError, ValueError: If the data does not describe layers.
    """
    spec = NetworkSpec(
        convolutions=tuple((int(f), int(k), int(s)) for f, k, s in data["convolutions"]),
        dense=tuple(int(units) for units in data["dense"]),
        dueling=bool(data["dueling"]),
    )
    check_fields(spec)
    return spec


def _read(path: Path) -> tuple[dict[str, Any], Weights]:
    try:
        size = path.stat().st_size
        if size > LARGEST_BYTES:
            raise WeightsError(
                f"{path}: {size} bytes, more than any weight file of this program has"
            )
        data = path.read_bytes()
    except OSError as e:
        raise WeightsError(f"{path}: {e.strerror}") from None
    try:
        weights = load(data)
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        metadata = header["__metadata__"]
        if metadata["format"] != FORMAT:
            raise KeyError("format")
        card = json.loads(metadata["card"])
        if not isinstance(card, dict):
            raise TypeError("card")
    except (SafetensorError, ValueError, KeyError, TypeError, RecursionError):
        raise WeightsError(f"{path}: not a weight file of this program (safetensors)") from None
    return card, weights
