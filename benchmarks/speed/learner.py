"""Compares updates per second of our agents with PyTorch: Stable-Baselines3's DQN, and a plain update.

python -m benchmarks.speed.learner --peer-python PATH
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import tyro

import DQN
from benchmarks.speed import duel
from system.exits import exit_with_error

DDQN_FULL, DQN_FULL, SB3 = "DDQN.py, with replay", "DQN.py, with replay", "SB3 DQN.train"
DDQN_BARE, DQN_BARE = "DDQN.py, same batch", "DQN.py, same batch"
TORCH_DOUBLE, TORCH_PLAIN = "torch Double DQN", "torch DQN"


@dataclass(frozen=True)
class Options(duel.Options):
    """Measure updates per second on one core with one thread, with the network of DQN.py and DDQN.py on every side."""

    csv: Path = Path("results/speed_learner.csv")
    """File for the results."""
    batch_size: int = 64
    """Transitions per update."""
    updates_per_call: int = 12
    """Updates per call, for the sides that make several updates per call."""
    filled: int = 20_000
    """Number of transitions in the replay."""


def main(options: Options) -> None:
    """Measure all sides, write and print the results."""
    options.check()
    if not 1 <= options.batch_size <= options.filled or options.updates_per_call < 1:
        exit_with_error(
            "batch_size must be 1 to filled and updates_per_call at least 1, got"
            f" {options.batch_size}, {options.filled}, {options.updates_per_call}"
        )
    duel.require(options.peer_python, "torch", "stable_baselines3")
    ours = DQN.Settings()
    setup = json.dumps(
        {
            "observation": ours.view.observation_shape,
            "actions": len(ours.view.action_set),
            "convolutions": ours.network.convolutions,
            "dense": ours.network.dense,
            "batch_size": options.batch_size,
            "updates_per_call": options.updates_per_call,
            "filled": options.filled,
        }
    )

    def side(name: str, python: Path, *arguments: str) -> duel.Side:
        return duel.Side(name, python, ("-m", *arguments, setup))

    here, peer = Path(sys.executable), options.peer_python
    sides = [
        side(DDQN_FULL, here, "benchmarks.speed.learner_ours", "DDQN", "replay"),
        side(DQN_FULL, here, "benchmarks.speed.learner_ours", "DQN", "replay"),
        side(SB3, peer, "benchmarks.speed.learner_torch", "sb3"),
        side(DDQN_BARE, here, "benchmarks.speed.learner_ours", "DDQN", "same"),
        side(TORCH_DOUBLE, peer, "benchmarks.speed.learner_torch", "double"),
        side(DQN_BARE, here, "benchmarks.speed.learner_ours", "DQN", "same"),
        side(TORCH_PLAIN, peer, "benchmarks.speed.learner_torch", "plain"),
    ]
    duels = [
        (DQN_FULL, SB3),
        (DDQN_FULL, SB3),
        (DQN_BARE, TORCH_PLAIN),
        (DDQN_BARE, TORCH_DOUBLE),
    ]
    speeds = duel.measure(sides, options)
    duel.report("The learner on one core", "updates_per_second", speeds, duels, options)


if __name__ == "__main__":
    main(tyro.cli(Options))
