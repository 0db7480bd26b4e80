"""The command-line options of `sweep.py` and other searches."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro
from annotated_types import Ge, Interval

from system.ranges import Count

Repeated = tyro.conf.UseAppendAction[tuple[str, ...]]


@dataclass(frozen=True)
class SearchOptions:
    """Options that all searches have."""

    rungs: Annotated[int, Interval(ge=1, le=10)] = 1
    """Number of rungs of successive halving. Each rung is twice as long as the one before, and the better half of
    the trials goes on to the next rung."""
    batch: Count = 8
    """Number of trials that are proposed before their scores are known. Changes the result; --jobs does not."""
    seed: Annotated[int, Ge(0)] = 0
    """Seed of the random or proposed trials."""
    jobs: int | None = None
    """Number of processes at once; by default one, or one per GPU of --devices. Changes the time, not the result."""
    folder: Annotated[Path | None, tyro.conf.arg(metavar="FOLDER")] = None
    """Folder of the search; by default runs/sweeps/ plus a name derived from the command line."""


@dataclass(frozen=True)
class Options(SearchOptions):
    """Search for settings of a training script."""

    script: tyro.conf.Positional[str] = ""
    """The script, such as DDQN.py."""
    set: Annotated[Repeated, tyro.conf.arg(metavar="NAME=VALUE[,VALUE...]")] = ()
    """Value of a setting for all trials, or several values to try; may be given more than once. Values are JSON or bare
    words: dense=[256],[512]."""
    space: Annotated[Repeated, tyro.conf.arg(metavar="NAME=KIND:...")] = ()
    """Range to sample a setting from: NAME=int:LOW:HIGH, float:LOW:HIGH, log:LOW:HIGH (log-uniform) or choice:A,B.
    May be given more than once."""
    random: Count | None = None
    """Number of random trials. Without this and --tpe, every combination of the --set values is tried."""
    tpe: Count | None = None
    """Number of trials that Optuna's tree-structured Parzen estimator proposes."""
    seeds: str = "1"
    """Seeds that every trial is run with: FIRST:LAST, LAST included (1:5 is five seeds), or 1,3,7."""
    preset: str = "default"
    """Preset to start from, or several to try: names or globs between commas."""
    metric: Literal["validation", "test"] = "validation"
    """Score of a run: its best mean on validation tracks, or its mean on the test tracks. Trials are ranked by the mean
    over the seeds."""
    devices: str = ""
    """GPUs, such as 0,1. Each trains one run at a time, even if another sweep of yours uses it."""
    pool: Literal["processes", "ray"] = "processes"
    """Where runs train: on this machine, or on the nodes of a Ray cluster that share this folder (docs/cluster.md)."""
    address: str = "auto"
    """With --pool ray: host:port of the cluster, or auto for the one this machine belongs to."""
    report: Annotated[Path | None, tyro.conf.arg(metavar="FOLDER")] = None
    """Print the report of a sweep and write it again, without training; works while the sweep is running."""
