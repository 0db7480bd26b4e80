"""Our sides of the learner benchmark: the agents of DQN.py and DDQN.py."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

import DDQN
import DQN
from agents.backend import keras, set_up_tensorflow, tf
from agents.replay import Trajectory
from benchmarks.speed.turns import take_turns
from training.settings import from_json

NOTES = {
    "DQN": "Q-learning, uniform replay",
    "DDQN": "Double Q-learning, dueling head, prioritised replay",
}


def make(script: str, setup: dict[str, Any]) -> DQN.DQN | DDQN.DDQN:
    """Make an agent with random experience in its replay."""
    _, height, width = setup["observation"]
    changes = {
        "height": height,
        "width": width,
        "convolutions": setup["convolutions"],
        "dense": setup["dense"],
        "batch_size": setup["batch_size"],
        "updates_per_tick": setup["updates_per_call"],
    }
    agent: DQN.DQN | DDQN.DDQN
    if script == "DDQN":
        agent = DDQN.DDQN(from_json(DDQN.Settings(), changes))
    else:
        agent = DQN.DQN(from_json(DQN.Settings(), changes))
    rng, cars = np.random.default_rng(1), agent.settings.cars
    shape = (setup["filled"] // cars, cars)
    agent.replay.extend(
        Trajectory(
            frame=rng.integers(0, 256, (*shape, height, width), np.uint8),
            action=rng.integers(0, setup["actions"], shape, np.uint8),
            reward=rng.normal(size=shape).astype(np.float32),
            terminal=rng.random(shape) < 0.01,
            final=np.zeros(shape, np.bool_),
            age=np.repeat(np.arange(shape[0], dtype=np.uint16)[:, None], cars, axis=1),
        )
    )
    return agent


def same_batch(agent: DQN.DQN | DDQN.DDQN) -> Callable[[], object]:
    """Return a function that makes a tick's updates on always the same batches, without the replay."""
    updates = agent.settings.learning.updates_per_tick
    size, rng = agent.settings.replay.batch_size, np.random.default_rng(1)
    if isinstance(agent, DDQN.DDQN):
        batch, _, _ = agent.replay.sample(updates, size, rng)
        weight = np.ones(updates * size, np.float32)
        return lambda: agent.repeat(batch, weight)
    batch = agent.replay.sample(updates, size, rng)
    return lambda: agent.repeat(batch)


def work(script: str, setup: dict[str, Any], with_replay: bool) -> tuple[str, Callable[[], int]]:
    """Return a note on the agent, and a function that makes a tick's updates, with its replay or without."""
    agent = make(script, setup)
    learn = agent.learn if with_replay else same_batch(agent)

    def tick() -> int:
        learn()
        return int(setup["updates_per_call"])

    versions = f"tensorflow {tf.__version__}, keras {keras.__version__}"
    return f"{NOTES[script]}, {agent.online.count_params()} parameters, {versions}", tick


if __name__ == "__main__":
    set_up_tensorflow(threads=1, device="cpu")
    _, script, replay, setup = sys.argv
    take_turns(*work(script, json.loads(setup), replay == "replay"))
