"""Made-up experience, and a naive model of the frame store that keeps it in plain lists of episodes."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from agents.replay import FrameStore, ReplaySpec, Trajectory

MOST_STEPS = 1000  # so that the number of a frame says where it was stored


@dataclass
class FakeEpisode:
    """One episode in one environment, as far as it went.

    Attributes:
        first_step: At which its first frame was stored.
        frames: One number per frame; one more than rewards once it is over.
        actions: One per decision.
        rewards: One per decision.
        terminated: Whether it ended for good.
        over: Whether its last frame was stored.
    """

    first_step: int
    frames: list[int] = field(default_factory=list)
    actions: list[int] = field(default_factory=list)
    rewards: list[float] = field(default_factory=list)
    terminated: bool = False
    over: bool = False


@dataclass(frozen=True)
class Transition:
    """What a batch should hold; frames by their numbers."""

    observation: list[int]
    action: int
    n_step_return: float
    discount: float
    next_observation: list[int]
    steps: range  # that all this was made of


def play(plans: list[list[tuple[int, bool]]], steps: int) -> list[list[FakeEpisode]]:
    """Play out the plans, one list of (decisions, terminates) per environment, over and over."""
    rng = np.random.default_rng(steps)
    episodes: list[list[FakeEpisode]] = []
    for environment, plan in enumerate(plans):
        mine: list[FakeEpisode] = []
        for step in range(steps):
            if not mine or mine[-1].over:
                mine.append(FakeEpisode(step))
            now, (decisions, terminates) = mine[-1], plan[(len(mine) - 1) % len(plan)]
            now.frames.append(environment * MOST_STEPS + step)
            if len(now.rewards) == decisions:
                now.over = True
            else:
                now.actions.append(int(rng.integers(1, 9)))
                now.rewards.append(float(rng.integers(-8, 9)))
                now.terminated = terminates and len(now.rewards) == decisions
        episodes.append(mine)
    return episodes


def numbers(frames: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The numbers of frames [..., 1, 2]."""
    return frames[..., 0, 0].astype(np.int64) * 256 + frames[..., 0, 1]


def where(frames: NDArray[np.uint8]) -> list[tuple[int, int]]:
    """At which steps of which environments frames [B, 1, 2] were stored."""
    return [(n % MOST_STEPS, n // MOST_STEPS) for n in numbers(frames).tolist()]


def spec(steps: int, environments: int = 1, n_step: int = 1, gamma: float = 0.9) -> ReplaySpec:
    """The spec of a replay with a ring of `steps` steps."""
    return ReplaySpec(replay_capacity=steps * environments, n_step=n_step, gamma=gamma)


def frame_store(
    steps: int, environments: int = 1, stack: int = 1, n_step: int = 1, gamma: float = 0.9
) -> FrameStore:
    """A ring for frames of 1x2 pixels."""
    return FrameStore(spec(steps, environments, n_step, gamma), environments, (stack, 1, 2))


def as_trajectory(episodes: list[list[FakeEpisode]], steps: int) -> Trajectory:
    """The same as an actor would return it."""
    shape = (steps, len(episodes))
    t = Trajectory(
        frame=np.zeros((*shape, 1, 2), np.uint8),
        action=np.zeros(shape, np.uint8),
        reward=np.zeros(shape, np.float32),
        terminal=np.zeros(shape, np.bool_),
        final=np.zeros(shape, np.bool_),
        age=np.zeros(shape, np.uint16),
    )
    for n, mine in enumerate(episodes):
        for one in mine:
            for age, frame in enumerate(one.frames):
                at = (one.first_step + age, n)
                t.frame[at] = [[frame // 256, frame % 256]]
                t.age[at] = age
                t.final[at] = age == len(one.rewards)
                if age < len(one.rewards):
                    t.action[at], t.reward[at] = one.actions[age], one.rewards[age]
                    t.terminal[at] = one.terminated and age == len(one.rewards) - 1
    return t


def part(t: Trajectory, first: int, last: int) -> Trajectory:
    """The steps [first, last)."""
    return Trajectory(*(array[first:last] for array in vars(t).values()))


def transition(
    episodes: list[list[FakeEpisode]],
    step: int,
    environment: int,
    stack: int,
    n_step: int,
    gamma: float,
) -> Transition | None:
    """What begins at a step, by walking along its episode; None where the episode's last frame is."""
    one = next(x for x in reversed(episodes[environment]) if x.first_step <= step)
    begin = step - one.first_step
    if begin >= len(one.rewards):
        return None
    end = min(begin + n_step, len(one.rewards))
    gains = [gamma**k * r for k, r in enumerate(one.rewards[begin:end])]
    ends_there = one.terminated and end == len(one.rewards)

    def stacked(at: int) -> list[int]:
        return [one.frames[max(at - back, 0)] for back in range(stack - 1, -1, -1)]

    return Transition(
        observation=stacked(begin),
        action=one.actions[begin],
        n_step_return=sum(gains),
        discount=0.0 if ends_there else gamma ** (end - begin),
        next_observation=stacked(end),
        steps=range(one.first_step + max(begin - stack + 1, 0), one.first_step + end + 1),
    )


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[list[FakeEpisode]], int, list[int]]:
    """Episodes of 1 to 3 environments, their number of steps, and where those are cut into trajectories."""
    plan = st.lists(st.tuples(st.integers(1, 9), st.booleans()), min_size=1, max_size=5)
    plans = draw(st.lists(plan, min_size=1, max_size=3))
    steps = draw(st.integers(1, 60))
    cuts = draw(st.lists(st.integers(1, steps), max_size=6))
    return play(plans, steps), steps, sorted({0, *cuts, steps})
