"""Where experience is kept: every frame once, as bytes; stacks and n-step returns are put together on sampling.

The store is a ring of slots. A slot holds one item of each of the N environments, which go in step. An item is
a frame and what was done on seeing it. An episode's last frame, which nothing was done on, has an item of its own
(`final`), so that a time limit can bootstrap from it; while an environment stores it, it begins its next episode.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Annotated, NamedTuple

import numpy as np
from annotated_types import Ge, Unit
from numpy.typing import NDArray

from system.ranges import Probability

ITEM_BYTES = (
    41  # beside the frame: what was done, 9; a priority with its part of the tree, up to 32
)


@dataclass(frozen=True)
class Trajectory:
    """Items of T consecutive slots from N environments.

    Attributes:
        frame: What was seen last, uint8 [T, N, H, W].
        action: What was done on it, uint8 [T, N]; 0 where `final`.
        reward: What that paid (shaped), float32 [T, N]; 0 where `final`.
        terminal: Whether nothing came after, bool [T, N]. A time limit is not terminal.
        final: Whether the frame is the last of its episode and nothing was done on it, bool [T, N].
        age: Slots since the first frame of the episode, uint16 [T, N].
    """

    frame: NDArray[np.uint8]
    action: NDArray[np.uint8]
    reward: NDArray[np.float32]
    terminal: NDArray[np.bool_]
    final: NDArray[np.bool_]
    age: NDArray[np.uint16]


def side_by_side(parts: list[Trajectory]) -> Trajectory:
    """Trajectories [T, N, ...] of several actors as one."""
    joined = zip(*(vars(p).values() for p in parts), strict=True)
    return Trajectory(*(np.concatenate(arrays, axis=1) for arrays in joined))


class Batch(NamedTuple):
    """Transitions to learn from.

    Attributes:
        observation: uint8 [B, K, H, W].
        action: int32 [B].
        n_step_return: Discounted rewards up to the next observation, float32 [B].
        discount: gamma^n, or 0 where the episode terminated on the way, float32 [B].
        next_observation: uint8 [B, K, H, W].
    """

    observation: NDArray[np.uint8]
    action: NDArray[np.int32]
    n_step_return: NDArray[np.float32]
    discount: NDArray[np.float32]
    next_observation: NDArray[np.uint8]


@dataclass(frozen=True)
class ReplaySpec:
    """What it remembers, and what it draws."""

    replay_capacity: Annotated[int, Ge(1), Unit("decisions")] = 400_000
    """Decisions kept (2.3 KB each with the default images)."""
    learning_starts: Annotated[int, Ge(1), Unit("decisions")] = 4_000
    """Decisions to collect before the first update."""
    batch_size: Annotated[int, Ge(1), Unit("transitions")] = 64
    """Transitions per update."""
    n_step: Annotated[int, Ge(1), Unit("decisions")] = 5
    """Rewards summed before the network is asked."""
    gamma: Probability = 0.98
    """Discount per decision."""

    def check(self) -> None:
        """Refuse a start that cannot come.

        Raises:
            ValueError: Naming the settings.
        """
        if not self.batch_size <= self.learning_starts <= self.replay_capacity:
            raise ValueError(
                f"batch_size ({self.batch_size}) <= learning_starts ({self.learning_starts})"
                f" <= replay_capacity ({self.replay_capacity}) does not hold"
            )

    def slots(self, environments: int, stack: int) -> int:
        """Length of the ring that holds the capacity.

        Raises:
            ValueError: If it is too short for a stack and a return.
        """
        slots = self.replay_capacity // environments
        if slots <= stack + self.n_step:
            raise ValueError(
                f"a replay of {slots * environments} decisions is too small: {environments}"
                f" environments need more than {(stack + self.n_step) * environments}"
            )
        return slots


class FrameStore:
    """A ring of `slots` slots of N environments.

    Args:
        spec: Capacity, n and gamma.
        environments: N.
        observation_shape: (K, H, W).

    Raises:
        ValueError: If the ring is too short for a stack and a return.
    """

    def __init__(
        self, spec: ReplaySpec, environments: int, observation_shape: tuple[int, int, int]
    ) -> None:
        self.stack, height, width = observation_shape
        slots = spec.slots(environments, self.stack)
        self.slots, self.environments = slots, environments
        self.n_step, self.gamma = spec.n_step, spec.gamma
        shape = (slots, environments)
        self._items = Trajectory(
            frame=np.zeros((*shape, height, width), np.uint8),
            action=np.zeros(shape, np.uint8),
            reward=np.zeros(shape, np.float32),
            terminal=np.zeros(shape, np.bool_),
            final=np.zeros(shape, np.bool_),
            age=np.zeros(shape, np.uint16),
        )
        self.written = 0  # slots since the beginning of the run

    @property
    def oldest(self) -> int:
        """The first slot whose stack is whole, counted since the beginning of the run."""
        return max(self.written - self.slots + self.stack - 1, 0)

    @property
    def newest(self) -> int:
        """One past the last slot whose return is known."""
        return max(self.written - self.n_step, 0)

    def extend(self, trajectory: Trajectory) -> None:
        """Append slots, over the oldest when full.

        Raises:
            ValueError: If the trajectory is longer than the ring.
        """
        length = len(trajectory.action)
        if length > self.slots:
            raise ValueError(f"a trajectory of {length} slots does not fit into {self.slots}")
        at = np.arange(self.written, self.written + length) % self.slots
        for field in fields(Trajectory):
            getattr(self._items, field.name)[at] = getattr(trajectory, field.name)
        self.written += length

    def items(self, first: int, last: int) -> Trajectory:
        """The slots [first, last), counted since the beginning of the run; for checkpoints."""
        at = np.arange(first, last) % self.slots
        return Trajectory(*(getattr(self._items, f.name)[at] for f in fields(Trajectory)))

    def is_final(self, index: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether there is no transition at an index, because the episode's last frame is there, bool [B]."""
        final: NDArray[np.bool_] = self._items.final.reshape(-1)[index]
        return final

    def indices(self, first: int, last: int) -> NDArray[np.int64]:
        """Indices of every item in the slots [first, last), int64 [slots * N]."""
        slot = np.arange(first, last) % self.slots
        environment = np.arange(self.environments)
        return (slot[:, None] * self.environments + environment).reshape(-1)

    def batch(self, index: NDArray[np.int64]) -> Batch:
        """Put the transitions at `index`, int64 [B], together.

        The n-step return is R = sum of gamma^k r_(t+k), k < n, to be continued by gamma^n Q(s_(t+n)) (Sutton 1988; in
        Deep Q-Networks, Hessel et al. 2018); it stops early where the episode does. Actions on the way that the greedy
        driver would not take are not corrected for.
        """
        items = self._items
        slot, environment = np.divmod(index, self.environments)  # [B], [B]
        n_step_return = np.zeros(len(index), np.float32)
        discount = np.ones(len(index), np.float32)  # gamma^(rewards so far), 0 after a terminal one
        steps = np.zeros(len(index), np.int64)
        running = np.ones(len(index), np.bool_)
        for n in range(self.n_step):
            at = ((slot + n) % self.slots, environment)
            running &= ~items.final[at]
            n_step_return += np.where(running, discount * items.reward[at], 0).astype(np.float32)
            ongoing = np.float32(self.gamma) * ~items.terminal[at]
            discount = np.where(running, discount * ongoing, discount).astype(np.float32)
            steps += running
        return Batch(
            observation=self._stacks(slot, environment),
            action=items.action[slot, environment].astype(np.int32),
            n_step_return=n_step_return,
            discount=discount,
            next_observation=self._stacks((slot + steps) % self.slots, environment),
        )

    def _stacks(self, slot: NDArray[np.int64], environment: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Frames of the last K slots; at an episode's start, its first frame as often as it takes."""
        age = self._items.age[slot, environment].astype(np.int64)  # [B]
        back = np.minimum(np.arange(self.stack - 1, -1, -1), age[:, None])  # [B, K]
        stacks: NDArray[np.uint8] = self._items.frame[
            (slot[:, None] - back) % self.slots, environment[:, None]
        ]  # [B, K, H, W]
        return stacks
