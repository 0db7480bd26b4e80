"""A peer for the learning curve: Stable-Baselines3's DQN with the observation, actions and rewards of DDQN.py.

python -m benchmarks.learning.sb3_peer --peer-python PATH
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from annotated_types import Ge, Interval, Unit

import DDQN
from benchmarks.rows import check_writable
from benchmarks.speed.duel import require
from racing.tracks import VALIDATION
from system.exits import exit_with_error
from system.ranges import Count, NotNegative, Probability
from training.settings import check

Minutes = Annotated[float, Interval(ge=0.01, le=10_000), Unit("minutes")]


@dataclass(frozen=True)
class Options:
    """Train Stable-Baselines3's DQN for a given time, with the best settings for it that we know of."""

    minutes: Minutes = 10.0
    """Wall-clock limit of training, including validation, as in our own runs."""
    validate_every: Minutes = 2.0
    """Minutes between two greedy drives on validation tracks."""
    validation_tracks: Annotated[int, Interval(ge=1, le=len(VALIDATION)), Unit("tracks")] = 32
    """Number of validation tracks."""
    csv: Path = Path("results/peer_sb3.csv")
    """File for the learning curve."""
    peer_python: Path = Path(sys.executable)
    """Python of the environment with Stable-Baselines3; by default the current one."""
    seed: Annotated[int, Ge(0)] = 1
    """Random seed."""
    environments: Count = 2
    """Number of environments, each in its own process."""
    threads: Count = 1
    """Number of PyTorch threads."""
    decisions_per_update: Count = 4
    """Decisions of all environments between two updates."""
    learning_rate: NotNegative = 2e-4
    """Adam's step size."""
    batch_size: Count = 32
    """Transitions per update."""
    replay_capacity: Count = 100_000
    """Capacity of the replay, decisions."""
    learning_starts: Count = 1_000
    """Decisions to collect before the first update."""
    gamma: Probability = 0.95
    """Discount per decision."""
    n_step: Count = 1
    """Number of rewards in an n-step return, before the bootstrap value."""
    target_update_period: Count = 2_500
    """Decisions between two copies to the target network."""
    epsilon_end: Probability = 0.05
    """Final exploration rate; it starts at 1."""
    epsilon_decisions: Count = 20_000
    """Decisions until the exploration rate has its final value."""
    decisions: Count = 10_000_000
    """Length of the run in decisions, if the time limit does not end it."""

    def check(self) -> None:
        """Check that the options can be combined.

        Raises:
            ValueError: If not; the message names the options.
        """
        if self.decisions_per_update % self.environments:
            raise ValueError(
                f"decisions_per_update must be a multiple of environments ({self.environments}),"
                f" got {self.decisions_per_update}"
            )
        if not self.batch_size <= self.learning_starts <= self.replay_capacity:
            raise ValueError("batch_size <= learning_starts <= replay_capacity does not hold")
        if self.epsilon_decisions > self.decisions:
            raise ValueError("epsilon_decisions is more than decisions")


def main(options: Options) -> None:
    """Start the training program with the peer's Python."""
    o = options
    try:
        check(o)
    except ValueError as e:
        exit_with_error(e)
    check_writable(o.csv)
    require(o.peer_python, "torch", "stable_baselines3", "gymnasium", "Box2D", "cv2")
    ours = DDQN.Settings()
    setup = {
        "minutes": o.minutes,
        "every": o.validate_every,
        "tracks": o.validation_tracks,
        "csv": str(o.csv),
        "seed": o.seed,
        "environments": o.environments,
        "threads": o.threads,
        "decisions": o.decisions,
        "world": vars(ours.view.world()),
        "greedy_world": vars(ours.view.greedy_world()),
        "shaping": vars(ours.shaping),
        "network": vars(ours.network),
        "dqn": {
            "learning_rate": o.learning_rate,
            "batch_size": o.batch_size,
            "buffer_size": o.replay_capacity,
            "learning_starts": o.learning_starts,
            "gamma": o.gamma,
            "n_steps": o.n_step,
            "train_freq": o.decisions_per_update // o.environments,
            "target_update_interval": o.target_update_period,
            "exploration_fraction": o.epsilon_decisions / o.decisions,
            "exploration_final_eps": o.epsilon_end,
        },
    }
    python = str(o.peer_python)
    os.execvp(python, [python, "-m", "benchmarks.learning.sb3_train", json.dumps(setup)])


if __name__ == "__main__":
    main(tyro.cli(Options))
