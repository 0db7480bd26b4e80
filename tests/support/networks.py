"""TensorFlow as a run sets it up, and small networks and batches."""

from __future__ import annotations

import numpy as np
from agents.learner import LearnerSpec
from numpy.typing import NDArray

from agents.backend import keras, set_up_tensorflow
from agents.network import NetworkSpec, build_q_network
from agents.replay import Batch

set_up_tensorflow(threads=1, device="cpu")  # once, before anything is computed

OBSERVATION, ACTIONS = (2, 8, 8), 3
SMALL = NetworkSpec(convolutions=((4, 3, 2),), dense=(16,), dueling=True)


def small_network(seed: int = 0, spec: NetworkSpec = SMALL) -> keras.Model:
    """A Q-network for OBSERVATION and ACTIONS."""
    return build_q_network(spec, OBSERVATION, ACTIONS, seed)


def learner_spec(
    batch_size: int = 4,
    updates_per_call: int = 1,
    target_update_period: int = 3,
    average_rate: float = 0.1,
    huber_threshold: float = 1.0,
    gradient_clip_norm: float = 10.0,
    adam_epsilon: float = 1e-4,
) -> LearnerSpec:
    """A learner's settings for tests."""
    return LearnerSpec(
        batch_size,
        updates_per_call,
        target_update_period,
        average_rate,
        huber_threshold,
        gradient_clip_norm,
        adam_epsilon,
    )


def random_batch(count: int, seed: int = 0, reward: float = 1.0) -> Batch:
    """Transitions of noise."""
    rng = np.random.default_rng(seed)

    def pictures() -> NDArray[np.uint8]:
        return rng.integers(256, size=(count, *OBSERVATION), dtype=np.uint8)

    return Batch(
        observation=pictures(),
        action=rng.integers(ACTIONS, size=count).astype(np.int32),
        n_step_return=(reward * rng.normal(size=count)).astype(np.float32),
        discount=rng.choice([0.0, 0.9], size=count).astype(np.float32),
        next_observation=pictures(),
        weight=rng.uniform(0.2, 1.0, size=count).astype(np.float32),
        index=np.arange(count, dtype=np.int64),
    )
