"""Our sides of the learner benchmark: the learners and replays of DQN.py and DDQN.py, as they are built there."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from agents.learner import Learner

import DDQN
import DQN
from agents.backend import set_up_tensorflow
from agents.replay import Replay, Trajectory
from benchmarks.speed.turns import take_turns

LEARNING_RATE, BETA = 3e-4, 0.6


SCRIPTS = {
    "DQN": "Q-learning, uniform replay",
    "DDQN": "Double Q-learning, dueling head, prioritised replay",
}


def build(script: str, setup: dict[str, Any]) -> tuple[Learner, Replay]:
    """A learner, and a replay with random experience in it."""
    _, height, width = setup["observation"]
    common = {
        "height": height,
        "width": width,
        "convolutions": setup["convolutions"],
        "dense": setup["dense"],
        "batch_size": setup["batch_size"],
        "updates_per_tick": setup["updates_per_call"],
    }
    if script == "DDQN":
        trainer = DDQN.build(DDQN.Settings(**common, dueling=True))
    else:
        trainer = DQN.build(DQN.Settings(**common, dueling=False))
    replay, rng = trainer.replay, np.random.default_rng(1)
    cars = replay.store.environments
    shape = (setup["filled"] // cars, cars)
    replay.extend(
        Trajectory(
            frame=rng.integers(0, 256, (*shape, *setup["observation"][1:]), np.uint8),
            action=rng.integers(0, setup["actions"], shape, np.uint8),
            reward=rng.normal(size=shape).astype(np.float32),
            terminal=rng.random(shape) < 0.01,
            final=np.zeros(shape, np.bool_),
            age=np.repeat(np.arange(shape[0], dtype=np.uint16)[:, None], cars, axis=1),
        )
    )
    return trainer.learner, replay


def work(script: str, setup: dict[str, Any], with_replay: bool) -> tuple[str, Callable[[], int]]:
    """What a tick of the trainer does between two rollouts; without a replay, on the same batches again."""
    learner, replay = build(script, setup)
    rng, updates, size = np.random.default_rng(1), setup["updates_per_call"], setup["batch_size"]
    same = replay.sample(updates, size, BETA, rng)

    def learn() -> int:
        batch = replay.sample(updates, size, BETA, rng) if with_replay else same
        learned = learner.learn(batch, LEARNING_RATE, rng)
        if with_replay:
            replay.update_priorities(batch.index, learned.td_error)
        return int(updates)

    versions = f"tensorflow {tf.__version__}, keras {keras.__version__}"
    return f"{SCRIPTS[script]}, {learner.online.count_params()} parameters, {versions}", learn


if __name__ == "__main__":
    set_up_tensorflow(threads=1, device="cpu")
    _, script, replay, setup = sys.argv
    take_turns(*work(script, json.loads(setup), replay == "replay"))
