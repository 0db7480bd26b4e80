"""Experience replay: one frame store, two ways to draw from it."""

from agents.replay.prioritised import PrioritisedReplay
from agents.replay.store import Batch, FrameStore, Trajectory, side_by_side
from agents.replay.uniform import Replay, UniformReplay

__all__ = [
    "Batch",
    "FrameStore",
    "PrioritisedReplay",
    "Replay",
    "Trajectory",
    "UniformReplay",
    "side_by_side",
]
