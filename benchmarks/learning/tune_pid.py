"""Tunes the gains of the PID controller on training tracks with Optuna's tree-structured Parzen estimator.

python -m benchmarks.learning.tune_pid --trials 100 --rungs 3 --jobs 2

The search is that of sweep.py: the same command line continues it. All trials drive the same tracks with the fast
camera; with rungs, the worse half of a batch drives only a part of them. Before new gains are adopted, they are checked
on the validation tracks:

python evaluate.py pid --tracks validation
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

import numpy as np
import tyro

from agents.pid import WORLD, PidGains, PidPolicy
from evaluation.drivers import acting
from experiments.function import MeanOverCases
from experiments.jobs import check_jobs, stoppable
from experiments.options import SearchOptions
from experiments.plan import Plan, rung_lengths
from experiments.report import REPORT, ranking
from experiments.search import Search
from experiments.space import Dimension, Range
from experiments.trials import best_first
from racing.driving import drive
from racing.spec import WorldSpec
from racing.tracks import draw_training_track
from racing.world import World
from system.exits import one_line_errors
from system.files import write_whole
from system.ranges import Count, check_fields

IDLE_FRAMES = 150  # after this many frames without a new tile, no further tiles are expected
SPACE: dict[str, Dimension] = {
    "kp": Range(0.16, 0.34),
    "ki": Range(0.0, 0.1),
    "kd": Range(0.006, 0.02),
    "integral_limit": Range(0.05, 0.2),
    "look_ahead": Range(5.0, 9.0),
    "look_ahead_time": Range(0.1, 0.17),
    "far_share": Range(0.1, 0.5),
    "centring": Range(0.0015, 0.015, log=True),
    "margin": Range(2.2, 3.2),
    "grip": Range(120.0, 170.0),
    "braking": Range(45.0, 75.0),
    "top_speed": Range(85.0, 110.0),
    "blind_speed": Range(55.0, 80.0),
    "gas": Range(0.05, 0.15),
    "brake": Range(0.03, 0.08),
    "gas_when_steering": Range(0.4, 1.6),
    "slide": Range(150.0, 350.0),
}


@dataclass(frozen=True)
class Options(SearchOptions):
    """Search for gains of the PID controller with a higher mean score."""

    trials: Count = 100
    """Number of sets of gains to try; the first is the current one."""
    tracks: Count = 60
    """Number of training tracks; with rungs, only the better trials drive all of them."""


def score(gains: dict[str, Any], track: int) -> float:
    """Return the score of one episode; once the car is stuck, the remaining frames are only counted, not simulated."""
    world = _world()
    for moment in drive(world, track, acting(PidPolicy(PidGains(**gains)))):
        if moment.step.idle_frames >= IDLE_FRAMES:
            return world.score - 0.1 * (1000 - world.simulator.frames)
    return world.score


@cache
def _world() -> World:
    return World(WorldSpec(**WORLD), "fast")


def main(options: Options) -> None:
    """Run the search, and print the report and the best gains."""
    o = options
    with one_line_errors():
        check_fields(o)
        rng = np.random.default_rng(o.seed)
        tracks = [draw_training_track(rng) for _ in range(o.tracks)]
        free = ("jobs", "folder")
        description = {name: value for name, value in asdict(o).items() if name not in free}
        lengths, present = rung_lengths(o.tracks, o.rungs), asdict(PidGains())
        plan = Plan(SPACE, "tpe", o.trials, lengths, o.batch, o.seed, description, (present,))
        folder, jobs = o.folder or plan.default_folder("pid"), check_jobs(o.jobs, ())
        with stoppable() as stop:
            objective = MeanOverCases(score, tracks, folder / "scores.csv", jobs, stop)
            search = Search(folder, plan, objective)
            print(f"{folder}: {plan.summary()} tracks", flush=True)
            search.run()
        best = best_first(search.trials)[0]
        gains = "\n".join(f"    {name} = {value:.4g}" for name, value in best.values.items())
        parts = ["# Gains of the PID driver", *ranking(search.trials, SPACE, "tracks", "tracks")]
        parts.append(f"The best mean is {best.score:.1f}, of trial {best.number}:\n\n{gains}")
        text = "\n\n".join(parts) + "\n"
        write_whole(folder / REPORT, text.encode())
        print(f"\n{text}\n{folder / REPORT}")


if __name__ == "__main__":
    main(tyro.cli(Options))
