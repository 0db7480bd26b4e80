"""Starts a run from existing weights."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from agents.learning import copy
from agents.q_agent import QAgent
from agents.weights import WeightsError, unpack
from system.files import sha256


def start_from_weights(agent: QAgent[Any, Any], weights: str) -> dict[str, Any]:
    """Load weights into the online, the target and the averaged network.

    Args:
        agent: An agent that has not learned yet.
        weights: Path of a weight file; if empty, nothing is done.

    Returns:
        What the run records about the file.

    Raises:
        WeightsError: If it cannot be read, or is for another network, other observations or other actions.
    """
    if not weights:
        return {}
    path, settings = Path(weights), agent.settings
    network, card = unpack(path)
    world = card.get("world")
    world = world if isinstance(world, dict) else {}
    theirs = {
        "network": (card["network"], json.loads(json.dumps(asdict(settings.network)))),
        "observation": (card["observation"], list(settings.view.observation_shape)),
        "actions": (world.get("actions"), settings.view.actions),
        "gauges": (world.get("gauges", True), settings.view.gauges),  # older cards lack them
    }
    for what, (found, ours) in theirs.items():
        if found != ours:
            raise WeightsError(f"{path}: its {what} is {found}, the run's is {ours}")
    for ours in (agent.online, agent.target, agent.average):
        copy(network, ours)
    return {"weights": {"file": path.name, "sha256": sha256(path.read_bytes())}}
