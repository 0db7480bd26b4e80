"""Reward shaping for training. Scores do not use it: a score is the sum of the simulator's own rewards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, Interval, Unit

from racing.spec import Step

Points = Annotated[float, Ge(0), Unit("points")]
Speed = Annotated[float, Ge(0), Unit("world units/s")]

CRAWL = 10.0  # world units per second


@dataclass(frozen=True)
class Shaping:
    """Reward shaping, and how training tracks are chosen."""

    retry_share: Annotated[float, Interval(ge=0, le=1)] = 0.5
    """Probability that an episode repeats a track on which the actor did not complete a lap, if there is one."""
    grass_penalty: Points = 1.0
    """Points lost per frame with no wheel on the road."""
    missed_tile_penalty: Points = 20.0
    """Points lost per tile that the car passes without touching it: a single missed tile keeps the lap from ending."""
    max_missed_tiles: Annotated[int, Ge(1), Unit("tiles")] = 1
    """Missed tiles per decision that missed_tile_penalty counts, at most. The first one costs the lap, the others
    little more; a car that has to fear a dozen learns to stop for good before the sharpest bends."""
    stuck_frames: Annotated[int, Ge(1), Unit("frames (1/50 s)")] = 200
    """A training episode ends after this many frames without a new tile."""
    stuck_penalty: Points = 60.0
    """Points lost when an episode ends this way."""
    crawl_penalty: Points = 2.0
    """Points lost per decision that ends at less than 10 units/s: standing still must cost more than driving."""
    speed_limit: Speed = 95.0
    """Speed above which points are lost; 0 for no limit. An image shows 37 units ahead: too few to brake from 100."""
    speed_penalty: Points = 0.3
    """Points lost per decision and unit/s above speed_limit."""
    slip_limit: Speed = 4.0
    """Sideways speed above which points are lost, so that a spin costs points as soon as it begins."""
    slip_penalty: Points = 0.5
    """Points lost per decision and unit/s above slip_limit."""
    reward_offset: Annotated[float, Interval(ge=-1000, le=1000), Unit("points")] = 3.5
    """Points subtracted at every decision: this centres the values of good driving near 0 (Naik et al. 2024)."""
    reward_scale: Annotated[float, Gt(0)] = 0.1
    """Factor from points to the reward that the network learns from."""

    def stuck(self, step: Step) -> bool:
        """Return whether the episode ends because the car makes no progress."""
        return step.idle_frames >= self.stuck_frames and not (step.terminated or step.truncated)

    def terminal(self, step: Step) -> bool:
        """Return whether the state after the step has value 0, so that the return does not bootstrap from it.

        The end of a lap is not terminal: the agent cannot see it coming, and value 0 would punish the best driving.
        """
        return (step.terminated and not step.lap_done) or self.stuck(step)

    def reward(self, step: Step) -> float:
        """Return the shaped reward, which the agent learns from."""
        points = step.reward - self.reward_offset
        points -= self.grass_penalty * step.grass_frames
        points -= self.missed_tile_penalty * min(step.missed_tiles, self.max_missed_tiles)
        if step.speed < CRAWL:
            points -= self.crawl_penalty
        if self.speed_limit > 0:
            points -= self.speed_penalty * max(step.speed - self.speed_limit, 0.0)
        points -= self.slip_penalty * max(step.sideways - self.slip_limit, 0.0)
        if self.stuck(step):
            points -= self.stuck_penalty
        return points * self.reward_scale
