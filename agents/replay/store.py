"""Where experience is kept: every frame once, as bytes; stacks and n-step returns are computed on sampling.

The store is a ring buffer of time steps. A step holds a frame of each of the N environments, which go in step, and what
was done on seeing it. An episode's last frame, on which no action was taken, takes a step of its own (`final`), so that
a time limit can bootstrap from it; while an environment stores it, it begins its next episode.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Annotated, NamedTuple

import numpy as np
from annotated_types import Ge, Unit
from numpy.typing import NDArray

from system.ranges import Probability

# Beside the frame: action, reward and flags, 9; a priority with its part of the tree, up to 32.
TRANSITION_BYTES = 41


@dataclass(frozen=True)
class Trajectory:
    """T consecutive steps of N environments. Checkpoints save the arrays by these names.

    Attributes:
        frame: The newest image of the observation, uint8 [T, N, H, W].
        action: The action that was taken, uint8 [T, N]; 0 where `final`.
        reward: Its shaped reward, float32 [T, N]; 0 where `final`.
        terminal: Whether the action terminated the episode, bool [T, N]. A time limit is not terminal.
        final: Whether the frame is the last of its episode, on which no action was taken, bool [T, N].
        age: Steps since the first frame of the episode, uint16 [T, N].
    """

    frame: NDArray[np.uint8]
    action: NDArray[np.uint8]
    reward: NDArray[np.float32]
    terminal: NDArray[np.bool_]
    final: NDArray[np.bool_]
    age: NDArray[np.uint16]


def side_by_side(parts: list[Trajectory]) -> Trajectory:
    """Join trajectories [T, N, ...] of several actors along N."""
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
    """What the replay stores, and what is sampled from it."""

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
        """Check that learning can start.

        Raises:
            ValueError: Naming the settings.
        """
        if not self.batch_size <= self.learning_starts <= self.replay_capacity:
            raise ValueError(
                f"batch_size ({self.batch_size}) <= learning_starts ({self.learning_starts})"
                f" <= replay_capacity ({self.replay_capacity}) does not hold"
            )

    def ring_length(self, environments: int, stack: int) -> int:
        """Length of the ring that holds the capacity.

        Raises:
            ValueError: If it is too short for a stack and a return.
        """
        length = self.replay_capacity // environments
        if length <= stack + self.n_step:
            raise ValueError(
                f"a replay of {length * environments} decisions is too small: {environments}"
                f" environments need more than {(stack + self.n_step) * environments}"
            )
        return length


class FrameStore:
    """A ring buffer of `length` time steps of N environments.

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
        length = spec.ring_length(environments, self.stack)
        self.length, self.environments = length, environments
        self.n_step, self.gamma = spec.n_step, spec.gamma
        shape = (length, environments)
        self._ring = Trajectory(
            frame=np.zeros((*shape, height, width), np.uint8),
            action=np.zeros(shape, np.uint8),
            reward=np.zeros(shape, np.float32),
            terminal=np.zeros(shape, np.bool_),
            final=np.zeros(shape, np.bool_),
            age=np.zeros(shape, np.uint16),
        )
        self.written = 0  # steps since the beginning of the run

    @property
    def oldest(self) -> int:
        """The first step whose stack is whole, counted since the beginning of the run."""
        return max(self.written - self.length + self.stack - 1, 0)

    @property
    def newest(self) -> int:
        """One past the last step whose return is known."""
        return max(self.written - self.n_step, 0)

    def extend(self, trajectory: Trajectory) -> None:
        """Append a trajectory; when the ring is full, it overwrites the oldest steps.

        Raises:
            ValueError: If the trajectory is longer than the ring.
        """
        steps = len(trajectory.action)
        if steps > self.length:
            raise ValueError(
                f"a trajectory of {steps} steps does not fit into a ring of {self.length}"
            )
        at = np.arange(self.written, self.written + steps) % self.length
        for field in fields(Trajectory):
            getattr(self._ring, field.name)[at] = getattr(trajectory, field.name)
        self.written += steps

    def trajectory(self, first: int, last: int) -> Trajectory:
        """The steps [first, last), counted since the beginning of the run; for checkpoints."""
        at = np.arange(first, last) % self.length
        return Trajectory(*(getattr(self._ring, f.name)[at] for f in fields(Trajectory)))

    def is_final(self, index: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether an index holds the last frame of an episode, and so no transition, bool [B]."""
        final: NDArray[np.bool_] = self._ring.final.reshape(-1)[index]
        return final

    def indices(self, first: int, last: int) -> NDArray[np.int64]:
        """Indices of all transitions of the steps [first, last), int64 [(last - first) * N]."""
        position = np.arange(first, last) % self.length
        environment = np.arange(self.environments)
        return (position[:, None] * self.environments + environment).reshape(-1)

    def batch(self, index: NDArray[np.int64]) -> Batch:
        """Build the batch of the transitions at `index`, int64 [B].

        The n-step return is R = sum of gamma^k r_(t+k), k < n, to be continued by gamma^n Q(s_(t+n)) (Sutton 1988; in
        Deep Q-Networks, Hessel et al. 2018); it stops early where the episode does. Actions on the way that the greedy
        driver would not take are not corrected for.
        """
        ring = self._ring
        position, environment = np.divmod(index, self.environments)  # [B], [B]
        n_step_return = np.zeros(len(index), np.float32)
        discount = np.ones(len(index), np.float32)  # gamma^(rewards so far), 0 after a terminal one
        steps = np.zeros(len(index), np.int64)
        running = np.ones(len(index), np.bool_)
        for n in range(self.n_step):
            at = ((position + n) % self.length, environment)
            running &= ~ring.final[at]
            n_step_return += np.where(running, discount * ring.reward[at], 0).astype(np.float32)
            ongoing = np.float32(self.gamma) * ~ring.terminal[at]
            discount = np.where(running, discount * ongoing, discount).astype(np.float32)
            steps += running
        return Batch(
            observation=self._stacks(position, environment),
            action=ring.action[position, environment].astype(np.int32),
            n_step_return=n_step_return,
            discount=discount,
            next_observation=self._stacks((position + steps) % self.length, environment),
        )

    def _stacks(
        self, position: NDArray[np.int64], environment: NDArray[np.int64]
    ) -> NDArray[np.uint8]:
        """The last K frames; at the start of an episode, its first frame is repeated."""
        age = self._ring.age[position, environment].astype(np.int64)  # [B]
        back = np.minimum(np.arange(self.stack - 1, -1, -1), age[:, None])  # [B, K]
        stacks: NDArray[np.uint8] = self._ring.frame[
            (position[:, None] - back) % self.length, environment[:, None]
        ]  # [B, K, H, W]
        return stacks
