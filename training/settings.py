"""The settings that all agents share, and functions to flatten, change and check settings."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import tyro
from annotated_types import Ge, Interval, Unit

from racing.tracks import TEST, VALIDATION
from system.ranges import Count, NotNegative, check_fields
from training.mirror.url import checked_url

TRACKERS = ("wandb", "trackio")
T = TypeVar("T")
Flat = Annotated[
    T, tyro.conf.OmitArgPrefixes
]  # a group's flags have no prefix: --gamma, not --replay.gamma


@dataclass(frozen=True)
class RunSettings:
    """The settings of a run that all agents share."""

    preset: str = "default"
    """Settings to start from: default (minutes), long (highest score, an hour), server (many cores beside a GPU) or
    smoke (seconds, to try it)."""
    seed: Annotated[int, Ge(0)] = 1
    """Seed of all random generators."""
    decisions: Annotated[int, Ge(1), Unit("decisions")] = 100_000
    """Length of the run: decisions of all cars together."""
    runs: Path = Path("runs")
    """Folder that contains all runs."""
    name: str = ""
    """Name of the run; if empty, its starting time (UTC) and seed."""
    resume: str = ""
    """Run to resume: its folder, its name or a part of it, its URL in a mirror, or -1 for the newest of this script; or
    auto: resume the run called --name if it exists here or in --mirror-to, otherwise start it."""
    cars: Annotated[int, Interval(ge=1, le=4096), Unit("cars")] = 16
    """Cars that collect experience; each has its own exploration rate."""
    cars_per_actor: Annotated[int, Interval(ge=1, le=4096), Unit("cars")] = 1
    """Cars that share a batch of the network and drive in one process; must divide cars. Changes the last bits of the
    result."""
    workers: Annotated[int, Interval(ge=0, le=1024), Unit("processes")] | Literal["auto"] = "auto"
    """Processes that drive, in addition to the one that learns; 0: the learner drives, too; auto: as many as cores and
    memory allow. Changes the speed, not the result."""
    pool: Literal["processes", "ray"] = "processes"
    """Where the workers run: in processes on this machine, or on a Ray cluster (docs/cluster.md). Changes the speed,
    not the result."""
    address: str = ""
    """With --pool ray: host:port of a cluster, or auto for the one on this machine; if empty, Ray is started here."""
    threads: Annotated[int, Interval(ge=1, le=1024), Unit("threads")] = 1
    """Threads per TensorFlow operation, in every process. Changes the last bits of the result."""
    device: str = "auto"
    """Device that learns: auto, cpu, gpu or gpu:INDEX."""
    steps_per_tick: Count = 16
    """Decisions of every car in a tick, that is, between two exchanges of weights and experience."""
    validate_every: Annotated[int, Ge(1), Unit("decisions")] = 20_000
    """Decisions between two validations (greedy drives on validation tracks); the best weights are kept."""
    validation_tracks: Annotated[int, Interval(ge=1, le=len(VALIDATION)), Unit("tracks")] = 24
    """Number of tracks in a validation."""
    checkpoint_every: Annotated[int, Ge(1), Unit("decisions")] = 10_000
    """Decisions between two checkpoints."""
    test_episodes: Annotated[int, Interval(ge=0, le=len(TEST)), Unit("tracks")] = 50
    """Number of test tracks that the best weights drive at the end, with the official camera; 0 for none."""
    until_score: NotNegative = 0.0
    """Training ends when the mean score of a validation reaches this; 0 to make all decisions."""
    patience: Annotated[int, Ge(0), Unit("validations")] = 0
    """Training ends after this many validations in a row without a new best; 0 for no such limit."""
    hours: Annotated[float, Ge(0), Unit("hours")] = 0.0
    """The run stops after this time, counted from each start, and can be resumed (exit code 3); 0 for no limit."""
    keep_checkpoints: Annotated[int, Interval(ge=1, le=10_000), Unit("checkpoints")] = 2
    """Number of checkpoints to keep; older ones are deleted."""
    weights: str = ""
    """Weight file to start from; random weights if empty."""
    track: str = ""
    """Experiment tracker that also receives the curves: wandb or trackio, if installed; its failures do not stop the
    run (docs/trackers.md)."""
    mirror_to: str = ""
    """Object storage that the run is mirrored to after each checkpoint: s3://BUCKET/PREFIX, gs://, az:// or
    file:///FOLDER, with credentials from the environment; --resume MIRROR/AGENT/NAME resumes from there
    (docs/mirrors.md)."""

    def check(self) -> None:
        """Check the settings that depend on each other, the tracker and the mirror.

        Raises:
            ValueError: If something does not fit; the message names the settings.
        """
        if self.cars % self.cars_per_actor:
            raise ValueError(
                f"cars_per_actor must divide cars ({self.cars}), got {self.cars_per_actor}"
            )
        if self.address and self.pool != "ray":
            raise ValueError("address is that of a Ray cluster: set pool to ray, too")
        if self.pool == "ray" and self.workers == 0:
            raise ValueError("workers must be at least 1, or auto, with pool ray")
        if self.track not in ("", *TRACKERS):
            raise ValueError(f"track must be {' or '.join(TRACKERS)}, got {self.track!r}")
        if self.mirror_to:
            checked_url(self.mirror_to)


def groups(settings: Any) -> Iterator[Any]:
    """Yield the settings themselves, then their groups."""
    yield settings
    values = (getattr(settings, field.name) for field in fields(settings))
    yield from (value for value in values if is_dataclass(value))


def flat(settings: Any) -> dict[str, Any]:
    """Return every setting by its name, including those inside groups."""
    return {
        field.name: getattr(group, field.name)
        for group in groups(settings)
        for field in fields(group)
        if not is_dataclass(getattr(group, field.name))
    }


def changed(settings: T, **values: Any) -> T:
    """Return the settings with some of them changed, by their flat names.

    Raises:
        ValueError: If a name is unknown; the message suggests the closest one.
    """
    for name in values.keys() - flat(settings).keys():
        near = difflib.get_close_matches(name, flat(settings), 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"there is no setting {name!r}{hint}")

    def inside(group: Any) -> dict[str, Any]:
        new = {}
        for field in fields(group):
            value = getattr(group, field.name)
            if is_dataclass(value):
                new[field.name] = replace(value, **inside(value))  # type: ignore[type-var]
            elif field.name in values:
                new[field.name] = values[field.name]
        return new

    return replace(settings, **inside(settings))  # type: ignore[type-var]


def check(settings: Any) -> None:
    """Check every setting against its type and range, then the settings that depend on each other.

    Raises:
        ValueError: If one is invalid; the message names it and the allowed values.
    """
    for group in groups(settings):
        check_fields(group)
    for group in groups(settings):
        if hasattr(group, "check"):
            group.check()


def from_json(settings: T, values: dict[str, Any]) -> T:
    """Return the settings with the values of a JSON or TOML file, by their flat names.

    Raises:
        ValueError: If a name is unknown or a value is of the wrong type.
    """
    defaults = flat(settings)
    as_ours = {
        name: _as(defaults[name], value) if name in defaults else value
        for name, value in values.items()
    }
    return changed(settings, **as_ours)


def _as(default: Any, value: Any) -> Any:
    """Convert a JSON value to the type of the default: JSON has no tuples and no paths."""
    if isinstance(default, Path) and isinstance(value, str):
        return Path(value)
    if isinstance(default, tuple) and isinstance(value, list):
        return tuple(_as(default[0] if default else None, v) for v in value)
    return value


__all__ = ["Flat", "RunSettings", "changed", "check", "flat", "from_json"]
