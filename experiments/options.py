"""What `sweep.py` is told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro
from annotated_types import Ge, Interval

from system.ranges import Count

Repeated = tyro.conf.UseAppendAction[tuple[str, ...]]


@dataclass(frozen=True)
class Options:
    """Try many settings of a script that trains."""

    script: tyro.conf.Positional[str] = ""
    """The script, such as DDQN.py."""
    set: Annotated[Repeated, tyro.conf.arg(metavar="NAME=VALUE[,VALUE...]")] = ()
    """A setting of all trials, or values to try; may be given more than once. A value is JSON or a bare word:
    dense=[256],[512]."""
    space: Annotated[Repeated, tyro.conf.arg(metavar="NAME=KIND:...")] = ()
    """What to draw a setting from: NAME=int:LOW:HIGH, float:LOW:HIGH, log:LOW:HIGH (equal factors are equally likely)
    or choice:A,B,...; may be given more than once."""
    random: Count | None = None
    """So many trials, drawn at random; without this and --tpe, every combination of what --set names."""
    tpe: Count | None = None
    """So many trials, proposed by Optuna's tree-structured Parzen estimator."""
    seeds: str = "1"
    """Seeds of the runs of every trial: FIRST:LAST, LAST included (1:5 are five), or 1,3,7."""
    preset: str = "default"
    """Settings to start from."""
    rungs: Annotated[int, Interval(ge=1, le=10)] = 1
    """Successive halving: trials train for a part of the decisions, and of so many lengths, each twice the one before,
    the better half goes on to the next."""
    batch: Count = 8
    """Trials that --tpe proposes together, before it sees their scores. Changes the result; --jobs does not."""
    metric: Literal["validation", "test"] = "validation"
    """The score: a run's best mean on validation tracks, or its mean on the test tracks; the mean over the seeds."""
    seed: Annotated[int, Ge(0)] = 0
    """Of what is drawn or proposed."""
    jobs: int | None = None
    """Runs at once; one, or one per GPU of --devices, if not given. Changes the time, not the result."""
    devices: str = ""
    """GPUs, such as 0,1: one run at a time on each, also if you have another sweep there."""
    pool: Literal["processes", "ray"] = "processes"
    """Where runs are made: here, or each on a node of a Ray cluster whose nodes share this folder; docs/cluster.md."""
    address: str = "auto"
    """With --pool ray: host:port of the cluster, or auto for that of this machine."""
    folder: Annotated[Path | None, tyro.conf.arg(metavar="FOLDER")] = None
    """Where the sweep is kept; runs/sweeps/ and a name made of the command line if not given."""
    report: Annotated[Path | None, tyro.conf.arg(metavar="FOLDER")] = None
    """Try nothing: print the report of a sweep, also while it is at work, and write it again."""
