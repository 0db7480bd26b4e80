"""Made-up experience, and a naive twin of the frame store that keeps it in plain lists of episodes."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from agents.replay import FrameStore, ReplaySpec, Trajectory

MOST_SLOTS = 1000  # so that a frame's number tells where it was stored


@dataclass
class Life:
    """One episode in one environment, as far as it went.

    Attributes:
        first_slot: At which its first frame was stored.
        frames: One number per frame; one more than rewards once it is over.
        actions: One per decision.
        rewards: One per decision.
        terminated: Whether it ended for good.
        over: Whether its last frame was stored.
    """

    first_slot: int
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
    slots: range  # whose items all this was made of


def live(plans: list[list[tuple[int, bool]]], slots: int) -> list[list[Life]]:
    """Play out the plans, one list of (decisions, terminates) per environment, over and over."""
    rng = np.random.default_rng(slots)
    lives: list[list[Life]] = []
    for environment, plan in enumerate(plans):
        mine: list[Life] = []
        for slot in range(slots):
            if not mine or mine[-1].over:
                mine.append(Life(slot))
            now, (decisions, terminates) = mine[-1], plan[(len(mine) - 1) % len(plan)]
            now.frames.append(environment * MOST_SLOTS + slot)
            if len(now.rewards) == decisions:
                now.over = True
            else:
                now.actions.append(int(rng.integers(1, 9)))
                now.rewards.append(float(rng.integers(-8, 9)))
                now.terminated = terminates and len(now.rewards) == decisions
        lives.append(mine)
    return lives


def numbers(pictures: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The numbers of pictures [..., 1, 2]."""
    return pictures[..., 0, 0].astype(np.int64) * 256 + pictures[..., 0, 1]


def where(pictures: NDArray[np.uint8]) -> list[tuple[int, int]]:
    """At which slots of which environments pictures [B, 1, 2] were stored."""
    return [(n % MOST_SLOTS, n // MOST_SLOTS) for n in numbers(pictures).tolist()]


def spec(slots: int, environments: int = 1, n_step: int = 1, gamma: float = 0.9) -> ReplaySpec:
    """Of a replay with a ring of so many slots."""
    return ReplaySpec(replay_capacity=slots * environments, n_step=n_step, gamma=gamma)


def frame_store(
    slots: int, environments: int = 1, stack: int = 1, n_step: int = 1, gamma: float = 0.9
) -> FrameStore:
    """A ring for frames of 1x2 pixels."""
    return FrameStore(spec(slots, environments, n_step, gamma), environments, (stack, 1, 2))


def as_trajectory(lives: list[list[Life]], slots: int) -> Trajectory:
    """The same as an actor would hand it over."""
    shape = (slots, len(lives))
    t = Trajectory(
        frame=np.zeros((*shape, 1, 2), np.uint8),
        action=np.zeros(shape, np.uint8),
        reward=np.zeros(shape, np.float32),
        terminal=np.zeros(shape, np.bool_),
        final=np.zeros(shape, np.bool_),
        age=np.zeros(shape, np.uint16),
    )
    for n, mine in enumerate(lives):
        for one in mine:
            for age, frame in enumerate(one.frames):
                at = (one.first_slot + age, n)
                t.frame[at] = [[frame // 256, frame % 256]]
                t.age[at] = age
                t.final[at] = age == len(one.rewards)
                if age < len(one.rewards):
                    t.action[at], t.reward[at] = one.actions[age], one.rewards[age]
                    t.terminal[at] = one.terminated and age == len(one.rewards) - 1
    return t


def part(t: Trajectory, first: int, last: int) -> Trajectory:
    """The slots [first, last)."""
    return Trajectory(*(array[first:last] for array in vars(t).values()))


def transition(
    lives: list[list[Life]], slot: int, environment: int, stack: int, n_step: int, gamma: float
) -> Transition | None:
    """What begins at a slot, by walking along its episode; None where the episode's last frame is."""
    one = next(x for x in reversed(lives[environment]) if x.first_slot <= slot)
    begin = slot - one.first_slot
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
        slots=range(one.first_slot + max(begin - stack + 1, 0), one.first_slot + end + 1),
    )


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[list[Life]], int, list[int]]:
    """Lives of 1 to 3 environments, the slots that they took, and where those are cut into trajectories."""
    plan = st.lists(st.tuples(st.integers(1, 9), st.booleans()), min_size=1, max_size=5)
    plans = draw(st.lists(plan, min_size=1, max_size=3))
    slots = draw(st.integers(1, 60))
    cuts = draw(st.lists(st.integers(1, slots), max_size=6))
    return live(plans, slots), slots, sorted({0, *cuts, slots})
