"""TensorFlow as a run sets it up, and small agents and batches."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import DDQN
import DQN
from agents.backend import keras, set_up_tensorflow
from agents.network import NetworkSpec, build_q_network
from agents.replay import Batch
from training.settings import changed

set_up_tensorflow(threads=1, device="cpu")  # once, before anything is computed

OBSERVATION, ACTIONS = (2, 8, 8), 5
SMALL = NetworkSpec(convolutions=((4, 3, 2),), dense=(16,), dueling=True)
SETTINGS: dict[str, Any] = {
    "stack": 2,
    "height": 8,
    "width": 8,
    "actions": "stock",
    "cars": 4,
    "cars_per_actor": 2,
    "convolutions": SMALL.convolutions,
    "dense": SMALL.dense,
    "dueling": True,
    "replay_capacity": 400,
    "learning_starts": 40,
    "batch_size": 4,
    "updates_per_tick": 1,
    "target_update_period": 3,
    "learning_rate": 1e-2,
    "learning_rate_updates": 10**9,
    "ema_rate": 0.1,
    "huber_delta": 1.0,
    "mirror": False,
}


def small_network(seed: int = 0, spec: NetworkSpec = SMALL) -> keras.Model:
    """A Q-network for OBSERVATION and ACTIONS."""
    return build_q_network(spec, OBSERVATION, ACTIONS, seed)


def small_dqn(**settings: Any) -> DQN.DQN:
    """An agent with such a network; settings by their flat names."""
    return DQN.DQN(changed(DQN.Settings(), **SETTINGS | settings))


def small_ddqn(**settings: Any) -> DDQN.DDQN:
    """The other agent."""
    return DDQN.DDQN(changed(DDQN.Settings(), **SETTINGS | settings))


def random_batch(count: int, seed: int = 0) -> Batch:
    """Transitions of noise."""
    rng = np.random.default_rng(seed)

    def images() -> NDArray[np.uint8]:
        return rng.integers(256, size=(count, *OBSERVATION), dtype=np.uint8)

    return Batch(
        observation=images(),
        action=rng.integers(ACTIONS, size=count).astype(np.int32),
        n_step_return=rng.normal(size=count).astype(np.float32),
        discount=rng.choice([0.0, 0.9], size=count).astype(np.float32),
        next_observation=images(),
    )
