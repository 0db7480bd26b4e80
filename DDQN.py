"""Train a prioritised Double DQN with a dueling head to race. Read it beside DQN.py: the difference is the lesson.

Priorities: Schaul et al. 2016. Double Q-learning: van Hasselt et al. 2016. Dueling head: Wang et al. 2016.
"""

from __future__ import annotations

import system.ctrl_c  # isort: skip  # noqa: F401

import math
from dataclasses import dataclass

import numpy as np

from agents.learner import Learner, LearnerSpec
from agents.network import NetworkSpec, build_q_network
from agents.replay import FrameStore, PrioritisedReplay
from agents.schedules import Schedules, ladder, linear
from agents.td import double_q_learning
from racing.actions import action_set
from racing.shaping import Shaping
from racing.world import WorldSpec
from training.actors.driving import ActorSpec
from training.session import run_script
from training.settings import RunSettings, above, at_least, between
from training.trainer import Trainer


@dataclass(frozen=True)
class Settings(RunSettings):
    """Train a prioritised Double DQN."""

    # What the agent sees and does
    height: int = 48
    """Height of a picture, pixels."""
    width: int = 48
    """Width of a picture, pixels."""
    stack: int = 4
    """Pictures in an observation, frame_skip frames apart."""
    frame_skip: int = 4
    """Frames (1/50 s) that a decision lasts."""
    greedy_frame_skip: int = 2
    """The same for the greedy driver, which does better when it may change its mind sooner."""
    actions: str = "brisk"
    """Action set: brisk or stock."""

    # What it practises, and what training pays
    retry_share: float = 0.5
    """Share of episodes on a track where a car made no lap before, while there are any."""
    grass_penalty: float = 1.0
    """Points lost per frame with no wheel on the road."""
    missed_tile_penalty: float = 20.0
    """Points lost per tile left behind untouched."""
    stuck_frames: int = 200
    """An episode ends after so many frames without a new tile."""
    stuck_penalty: float = 60.0
    """Points lost then."""
    crawl_penalty: float = 2.0
    """Points lost per decision that ends at less than 10 units per second."""
    speed_limit: float = 95.0
    """Speed from which on haste costs, world units per second; 0 for no limit."""
    speed_penalty: float = 0.3
    """Points lost per decision and unit per second above the limit."""
    slip_limit: float = 4.0
    """Sideways speed from which on slipping costs, world units per second."""
    slip_penalty: float = 0.5
    """Points lost per decision and unit per second above that."""
    reward_offset: float = 3.5
    """Points taken off every decision: centres the values of good driving near 0."""
    reward_scale: float = 0.1
    """From points to what the network learns."""

    # How it explores
    epsilon_start: float = 1.0
    """Exploration rate of every car at first, probability."""
    epsilon_base: float = 0.2
    """Exploration rate of the most careless car in the end, probability."""
    epsilon_exponent: float = 4.0
    """The most careful car's rate is epsilon_base to the power of 1 + this."""
    epsilon_decisions: int = 30_000
    """Decisions from the first rates to the last."""

    # What it remembers
    replay_decisions: int = 400_000
    """Capacity of the replay, decisions (2.3 KB each)."""
    learn_from: int = 10_000
    """Decisions to collect before the first update."""
    n_step: int = 5
    """Rewards summed before the network is asked, decisions."""
    gamma: float = 0.98
    """Discount per decision."""
    alpha: float = 0.5
    """How much priorities count when sampling; 0 is uniform."""
    beta_start: float = 0.6
    """How far importance weights correct for priorities at first; 1 is fully."""
    beta_updates: int = 24_000
    """Updates until beta is 1; a default run makes 7,020 and ends before."""

    # How it learns
    convolutions: tuple[tuple[int, int, int], ...] = ((16, 6, 3), (32, 4, 2))
    """Convolutions: filters, kernel size, stride."""
    dense: tuple[int, ...] = (384,)
    """Units of the dense layers."""
    dueling: bool = True
    """Split the head into state value and advantages."""
    batch_size: int = 64
    """Transitions per update."""
    updates_per_tick: int = 20
    """Updates while the cars make slots_per_tick decisions each."""
    learning_rate: float = 6e-4
    """Adam's step size at first."""
    learning_rate_end: float = 2e-5
    """Adam's step size after learning_rate_updates."""
    learning_rate_updates: int = 24_000
    """Updates from the first step size to the last; a default run makes 7,020 and ends before."""
    adam_epsilon: float = 1e-4
    """Adam's epsilon."""
    huber_threshold: float = 4.0
    """TD error from which on the loss grows no faster than the error; a rare crash beyond it is underrated."""
    gradient_clip_norm: float = 10.0
    """Longest gradient, global norm."""
    target_update_period: int = 400
    """Updates between two copies to the target network."""
    average_rate: float = 0.0004
    """Share of the online weights that each update adds to the averaged weights, which drive;
    10 / updates while that is more."""
    mirror: bool = True
    """Learn from every second transition as seen in a mirror."""

    def check(self) -> None:
        """Refuse what cannot be."""
        super().check()
        between(self, 0.0, 1.0, "epsilon_start", "epsilon_base", "gamma", "average_rate")
        between(self, 0.0, 1.0, "retry_share")
        between(self, 0.0, 1.0, "alpha", "beta_start")
        at_least(self, 0, "grass_penalty", "missed_tile_penalty", "stuck_penalty")
        at_least(self, 0, "crawl_penalty", "speed_limit", "speed_penalty")
        at_least(self, 0, "slip_limit", "slip_penalty")
        at_least(self, 0, "epsilon_exponent", "epsilon_decisions", "beta_updates")
        at_least(self, 0, "learning_rate", "learning_rate_end", "learning_rate_updates")
        at_least(self, 0, "reward_scale", "adam_epsilon")
        above(self, 0, "huber_threshold", "gradient_clip_norm")
        at_least(self, -math.inf, "reward_offset")
        at_least(self, 1, "stuck_frames", "n_step", "batch_size", "updates_per_tick")
        at_least(self, 1, "target_update_period")
        if not self.batch_size <= self.learn_from <= self.replay_decisions:
            raise ValueError(
                f"batch_size ({self.batch_size}) <= learn_from ({self.learn_from})"
                f" <= replay_decisions ({self.replay_decisions}) does not hold"
            )


PRESETS = {
    "default": Settings(),
    "long": Settings(
        preset="long",
        decisions=1_000_000,
        greedy_frame_skip=1,
        missed_tile_penalty=60.0,
        slip_limit=8.0,
        slip_penalty=5.0,
        replay_decisions=1_000_000,
        beta_updates=46_000,
        convolutions=((16, 6, 3), (32, 4, 2), (64, 3, 1)),
        dense=(512,),
        learning_rate_updates=46_000,
        huber_threshold=40.0,
        average_rate=2e-4,
        validate_every=200_000,
        validation_tracks=128,
    ),
}


def build(settings: Settings) -> Trainer:
    """Put the pieces together."""
    s = settings
    world = WorldSpec(s.height, s.width, s.stack, s.frame_skip, s.actions)
    network = NetworkSpec(s.convolutions, s.dense, s.dueling)
    shaping = Shaping(
        grass_penalty=s.grass_penalty,
        missed_tile_penalty=s.missed_tile_penalty,
        stuck_frames=s.stuck_frames,
        stuck_penalty=s.stuck_penalty,
        crawl_penalty=s.crawl_penalty,
        speed_limit=s.speed_limit,
        speed_penalty=s.speed_penalty,
        slip_limit=s.slip_limit,
        slip_penalty=s.slip_penalty,
        reward_offset=s.reward_offset,
        reward_scale=s.reward_scale,
    )
    actions, observation, cars = (
        action_set(s.actions),
        (s.stack, s.height, s.width),
        s.actors * s.cars,
    )

    store = FrameStore(s.replay_decisions // cars, cars, observation, s.n_step, s.gamma)
    replay = PrioritisedReplay(store, s.alpha)
    learner = Learner(
        lambda: build_q_network(network, observation, len(actions), s.seed),
        double_q_learning,
        LearnerSpec(
            batch_size=s.batch_size,
            updates_per_call=s.updates_per_tick,
            target_update_period=s.target_update_period,
            average_rate=s.average_rate,
            huber_threshold=s.huber_threshold,
            gradient_clip_norm=s.gradient_clip_norm,
            adam_epsilon=s.adam_epsilon,
        ),
        actions.mirror if s.mirror else None,
    )
    rates = ladder(s.epsilon_base, s.epsilon_exponent, cars)
    schedules = Schedules(
        epsilons=lambda decisions: np.array(
            [linear(decisions, s.epsilon_start, rate, s.epsilon_decisions) for rate in rates]
        ),
        beta=lambda updates: linear(updates, s.beta_start, 1.0, s.beta_updates),
        learning_rate=lambda updates: linear(
            updates, s.learning_rate, s.learning_rate_end, s.learning_rate_updates
        ),
    )
    return Trainer(
        s,
        ActorSpec(
            world,
            world.deciding_every(s.greedy_frame_skip),
            network,
            shaping,
            s.cars,
            s.retry_share,
        ),
        learner,
        replay,
        schedules,
        s.learn_from,
    )


if __name__ == "__main__":
    run_script("DDQN", PRESETS, build)
