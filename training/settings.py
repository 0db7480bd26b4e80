"""Settings that every run has, whatever it learns with."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path

from racing.tracks import TEST, VALIDATION

LARGEST = 1e12  # numbers beyond are slips of the hand, and their products overflow


@dataclass(frozen=True)
class RunSettings:
    """Where, how far and on what a run runs."""

    preset: str = "default"
    """Settings to start from: default (fast) or long (highest score)."""
    seed: int = 1
    """Of everything that is random."""
    decisions: int = 100_000
    """Length of the run, decisions of all cars together."""
    runs: Path = Path("runs")
    """Folder of all runs."""
    name: str = ""
    """Name of the run; its starting time and seed if empty."""
    resume: str = ""
    """Go on with a run: its folder, or 'latest'."""
    actors: int = 1
    """Groups of cars; each drives with its own random numbers."""
    cars: int = 16
    """Cars of an actor, which share one batch of the network."""
    workers: int = 1
    """Processes that drive beside the one that learns, of use up to the number of actors; 0 drives in the same.
    Changes the speed, not the result."""
    threads: int = 1
    """Threads per TensorFlow operation, in every process. Changes the last bits of the result."""
    device: str = "auto"
    """What learns: auto, cpu, gpu or gpu:INDEX."""
    slots_per_tick: int = 16
    """Decisions per car between two hand-overs of weights and experience."""
    validate_every: int = 50_000
    """Decisions between two greedy drives on validation tracks; the best weights are kept."""
    validation_tracks: int = 32
    """Tracks of such a drive."""
    checkpoint_every: int = 10_000
    """Decisions between two checkpoints."""
    test_episodes: int = 50
    """Test tracks that the best weights drive at the end, official camera; 0 for none."""

    def check(self) -> None:
        """Refuse what cannot be.

        Raises:
            ValueError: Naming the setting and its range.
        """
        at_least(self, 0, "seed")
        between(self, 0, 64 * (os.cpu_count() or 1), "workers")
        between(self, 1, 1024, "threads")
        at_least(self, 1, "decisions", "actors", "cars", "slots_per_tick")
        at_least(self, 1, "validate_every", "checkpoint_every")
        between(self, 1, len(VALIDATION), "validation_tracks")
        between(self, 0, len(TEST), "test_episodes")


def at_least(settings: object, least: float, *names: str) -> None:
    """Check that settings are numbers not below `least`, and not beyond all measure.

    Raises:
        ValueError: Naming the first that is.
    """
    for name in names:
        value = getattr(settings, name)
        if not _is_number(value) or value < least:
            raise ValueError(f"{name} must be at least {least}, got {value}")
        if abs(value) > LARGEST:
            raise ValueError(f"{name} must not be beyond {LARGEST:g}, got {value}")


def above(settings: object, low: float, *names: str) -> None:
    """Check that settings are numbers above `low`, and not beyond all measure.

    Raises:
        ValueError: Naming the first that is not.
    """
    at_least(settings, low, *names)
    for name in names:
        if getattr(settings, name) == low:
            raise ValueError(f"{name} must be above {low}, got {low}")


def between(settings: object, low: float, high: float, *names: str) -> None:
    """Check that settings are numbers from `low` to `high`.

    Raises:
        ValueError: Naming the first that is not.
    """
    for name in names:
        value = getattr(settings, name)
        if not _is_number(value) or not low <= value <= high:
            raise ValueError(f"{name} must be {low} to {high}, got {value}")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
