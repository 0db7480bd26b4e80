"""What every replay has in common: a store of frames that grows."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from agents.replay.store import FrameStore, ReplaySpec, Trajectory


class Replay:
    """A memory of the last decisions. Subclasses add how transitions are drawn.

    Args:
        spec: Capacity, n-step return, discount.
        environments: Number of environments N, which go in step.
        observation_shape: (K, H, W).

    Raises:
        ValueError: If the capacity is too small for the stack and the return.
    """

    def __init__(
        self, spec: ReplaySpec, environments: int, observation_shape: tuple[int, int, int]
    ) -> None:
        self.store = FrameStore(spec, environments, observation_shape)

    def __len__(self) -> int:
        """Decisions in the replay whose return is known."""
        return (self.store.newest - self.store.oldest) * self.store.environments

    @property
    def decisions(self) -> int:
        """Decisions since the beginning of the run."""
        return self.store.written * self.store.environments

    @property
    def collected(self) -> int:
        """Decisions whose return is known, since the beginning of the run."""
        return self.store.newest * self.store.environments

    def extend(self, trajectory: Trajectory) -> None:
        """Append a trajectory."""
        self.store.extend(trajectory)

    def get_state(self) -> dict[str, NDArray[Any]]:
        """The state beside the store."""
        return {}

    def set_state(self, state: dict[str, NDArray[Any]]) -> None:
        """Put back what `get_state` gave; the store must be back already."""
