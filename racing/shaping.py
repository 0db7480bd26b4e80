"""What training pays. It never touches the score: a score is the sum of the simulator's own rewards."""

from __future__ import annotations

from dataclasses import dataclass

from racing.world import Step

CRAWL = 10.0  # world units per second


@dataclass(frozen=True)
class Shaping:
    """From what came of a decision to the reward that is learned from.

    Attributes:
        grass_penalty: Points lost per frame with no wheel on the road.
        missed_tile_penalty: Points lost per tile left behind untouched: one of them keeps a lap from ending.
        stuck_frames: An episode ends when this many frames brought no new tile.
        stuck_penalty: Points lost then.
        crawl_penalty: Points lost per decision that ends slower than CRAWL, so that standing still is worse than
            trying to get away.
        speed_limit: Speed from which on haste costs, world units per second; 0 for no limit. A picture shows 37 units
            of road ahead, so a car at 100 cannot brake for what comes into view.
        speed_penalty: Points lost per decision and unit per second above the limit.
        slip_limit: Sideways speed from which on slipping costs, world units per second. Well above what a bend takes
            (4), it prices a spin where it begins, and not the second afterwards in which its consequences show.
        slip_penalty: Points lost per decision and unit per second above that.
        reward_offset: Points taken off every decision, so that the value of driving well lies near 0 and the network
            spends itself on differences (reward centring, Naik et al. 2024).
        reward_scale: Factor from points to what the network sees.
    """

    grass_penalty: float
    missed_tile_penalty: float
    stuck_frames: int
    stuck_penalty: float
    crawl_penalty: float
    speed_limit: float
    speed_penalty: float
    slip_limit: float
    slip_penalty: float
    reward_offset: float
    reward_scale: float

    def stuck(self, step: Step) -> bool:
        """Whether the episode ends because nothing is gained any more."""
        return step.idle_frames >= self.stuck_frames and not (step.terminated or step.truncated)

    def terminal(self, step: Step) -> bool:
        """Whether the value of what comes after is 0.

        A lap's end is not: the agent cannot see it coming, and a value of 0 would punish the best that it can do.
        """
        return (step.terminated and not step.lap_done) or self.stuck(step)

    def reward(self, step: Step) -> float:
        """The reward to learn from."""
        points = step.reward - self.reward_offset
        points -= self.grass_penalty * step.grass_frames
        points -= self.missed_tile_penalty * step.missed_tiles
        if step.speed < CRAWL:
            points -= self.crawl_penalty
        if self.speed_limit > 0:
            points -= self.speed_penalty * max(step.speed - self.speed_limit, 0.0)
        points -= self.slip_penalty * max(step.sideways - self.slip_limit, 0.0)
        if self.stuck(step):
            points -= self.stuck_penalty
        return points * self.reward_scale
