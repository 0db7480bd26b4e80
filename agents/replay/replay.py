"""The base class of the replays: a frame store that experience is appended to."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from agents.replay.store import FrameStore, ReplaySpec, Trajectory


class Replay:
    """Stores the most recent decisions. Subclasses define how transitions are sampled.

    Args:
        spec: Capacity, n-step return, discount.
        environments: Number of environments N, which advance in lockstep.
        observation_shape: (K, H, W).

    Raises:
        ValueError: If the capacity is too small for an image stack and an n-step return.
    """

    def __init__(
        self, spec: ReplaySpec, environments: int, observation_shape: tuple[int, int, int]
    ) -> None:
        self.store = FrameStore(spec, environments, observation_shape)

    def __len__(self) -> int:
        """Number of decisions in the replay whose n-step return is known."""
        return (self.store.newest - self.store.oldest) * self.store.environments

    @property
    def decisions(self) -> int:
        """Number of decisions since the start of the run."""
        return self.store.written * self.store.environments

    @property
    def collected(self) -> int:
        """Number of decisions whose n-step return is known, since the start of the run."""
        return self.store.newest * self.store.environments

    def extend(self, trajectory: Trajectory) -> None:
        """Append a trajectory."""
        self.store.extend(trajectory)

    def get_state(self) -> dict[str, NDArray[Any]]:
        """Return the state that is not in the store."""
        return {}

    def set_state(self, state: dict[str, NDArray[Any]]) -> None:
        """Restore what `get_state` returned; the store must have been restored before."""
