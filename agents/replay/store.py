"""The frame store: it keeps every frame once, as bytes, and computes stacks and n-step returns on sampling.

The store is a ring buffer of time steps. The N environments advance in lockstep; a step holds one frame of each, and
the action taken on it. The last frame of an episode, on which no action was taken, occupies a step of its own
(`final`), so that a return cut off by the time limit can bootstrap from it. During that step, the environment is reset.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Annotated, NamedTuple

import numpy as np
from annotated_types import Ge, Unit
from numpy.typing import NDArray

from system.ranges import Probability

# In addition to the frame: 9 for action, reward, flags and age; up to 32 for a priority and its share of the sum tree.
TRANSITION_BYTES = 41


@dataclass(frozen=True)
class Trajectory:
    """T consecutive steps of N environments. Checkpoints save the arrays by these names.

    Attributes:
        frame: The newest image of the observation, uint8 [T, N, H, W].
        action: The action that was taken, uint8 [T, N]; 0 where `final`.
        reward: Its shaped reward, float32 [T, N]; 0 where `final`.
        terminal: Whether the action terminated the episode, bool [T, N]. A time limit is not terminal.
        final: Whether the frame is the last of its episode, with no action taken on it, bool [T, N].
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
    """A batch of transitions.

    Attributes:
        observation: uint8 [B, K, H, W].
        action: int32 [B].
        n_step_return: Discounted sum of the rewards up to the next observation, float32 [B].
        discount: gamma^n, or 0 where the episode terminated before the next observation, float32 [B].
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
    """Number of decisions kept (2.3 KB each with the default images)."""
    learning_starts: Annotated[int, Ge(1), Unit("decisions")] = 4_000
    """Decisions to collect before the first update."""
    batch_size: Annotated[int, Ge(1), Unit("transitions")] = 64
    """Transitions per update."""
    n_step: Annotated[int, Ge(1), Unit("decisions")] = 5
    """Number of rewards in an n-step return, before it bootstraps from the target network."""
    gamma: Probability = 0.98
    """Discount per decision."""

    def check(self) -> None:
        """Check that learning can start.

        Raises:
            ValueError: If batch_size <= learning_starts <= replay_capacity does not hold.
        """
        if not self.batch_size <= self.learning_starts <= self.replay_capacity:
            raise ValueError(
                f"batch_size ({self.batch_size}) <= learning_starts ({self.learning_starts})"
                f" <= replay_capacity ({self.replay_capacity}) does not hold"
            )

    def ring_length(self, environments: int, stack: int) -> int:
        """Compute the length of the ring buffer, in time steps, from the capacity.

        Raises:
            ValueError: If it is too short for an image stack and an n-step return.
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
        environments: Number of environments N.
        observation_shape: (K, H, W).

    Raises:
        ValueError: If the ring is too short for an image stack and an n-step return.
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
        self.written = 0  # steps since the start of the run

    @property
    def oldest(self) -> int:
        """The oldest step whose image stack is complete, counted from the start of the run."""
        return max(self.written - self.length + self.stack - 1, 0)

    @property
    def newest(self) -> int:
        """One past the newest step whose n-step return is known, counted from the start of the run."""
        return max(self.written - self.n_step, 0)

    def extend(self, trajectory: Trajectory) -> None:
        """Append a trajectory, overwriting the oldest steps when the ring is full.

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
        """Return the steps [first, last), counted from the start of the run; for checkpoints."""
        at = np.arange(first, last) % self.length
        return Trajectory(*(getattr(self._ring, f.name)[at] for f in fields(Trajectory)))

    def is_final(self, index: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return whether each index holds the last frame of an episode, and so no transition, bool [B]."""
        final: NDArray[np.bool_] = self._ring.final.reshape(-1)[index]
        return final

    def indices(self, first: int, last: int) -> NDArray[np.int64]:
        """Return the indices of all environments at the steps [first, last), int64 [(last - first) * N]."""
        position = np.arange(first, last) % self.length
        environment = np.arange(self.environments)
        return (position[:, None] * self.environments + environment).reshape(-1)

    def batch(self, index: NDArray[np.int64]) -> Batch:
        """Build a batch from the transitions at `index`, int64 [B].

        The n-step return is R = sum of gamma^k r_(t+k) for k < n; the TD target adds gamma^n Q(s_(t+n)) (Sutton 1988;
        for Deep Q-Networks, Hessel et al. 2018). The sum ends early where the episode does. There is no off-policy
        correction for exploratory actions.
        """
        ring = self._ring
        position, environment = np.divmod(index, self.environments)  # [B], [B]
        n_step_return = np.zeros(len(index), np.float32)
        discount = np.ones(len(index), np.float32)  # gamma^(rewards so far), 0 after termination
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
        """Stack the last K frames; before the start of an episode, its first frame is repeated."""
        age = self._ring.age[position, environment].astype(np.int64)  # [B]
        back = np.minimum(np.arange(self.stack - 1, -1, -1), age[:, None])  # [B, K]
        stacks: NDArray[np.uint8] = self._ring.frame[
            (position[:, None] - back) % self.length, environment[:, None]
        ]  # [B, K, H, W]
        return stacks
