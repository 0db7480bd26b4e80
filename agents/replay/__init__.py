"""Experience replay: one frame store and two ways to sample from it."""

from agents.replay.prioritised import PRIORITY_FLOOR, Priorities, PrioritisedReplay
from agents.replay.replay import Replay
from agents.replay.store import Batch, FrameStore, ReplaySpec, Trajectory, side_by_side
from agents.replay.uniform import UniformReplay

__all__ = [
    "PRIORITY_FLOOR",
    "Batch",
    "FrameStore",
    "Priorities",
    "PrioritisedReplay",
    "Replay",
    "ReplaySpec",
    "Trajectory",
    "UniformReplay",
    "side_by_side",
]
