"""Tune the gains of the PID driver on training tracks with Optuna's tree-structured Parzen estimator.

python -m benchmarks.learning.tune_pid --trials 100

All trials drive the same tracks under the fast camera. A trial that is among the worse ones after a few tracks
is given up. What comes out is judged on the validation tracks before it is adopted:

python evaluate.py pid --tracks validation
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields

import numpy as np
import optuna
import tyro

from agents.pid import WORLD, PidGains, PidPolicy
from evaluation.drivers import acting
from racing.driving import drive
from racing.spec import WorldSpec
from racing.tracks import draw_training_track
from racing.world import World
from system.exits import exit_with_error

CHECK_EVERY = 4  # tracks between two decisions whether to go on
GIVE_UP_POINTS = 1.5  # by which a trial may be behind the best one
IDLE_FRAMES = 150  # an episode without a new tile for so long gets none any more
RANGES = {  # lowest and highest; a tenfold range and more is searched by its logarithm
    "kp": (0.16, 0.34),
    "ki": (0.0, 0.1),
    "kd": (0.006, 0.02),
    "integral_limit": (0.05, 0.2),
    "look_ahead": (5.0, 9.0),
    "look_ahead_time": (0.1, 0.17),
    "far_share": (0.1, 0.5),
    "centring": (0.0015, 0.015),
    "margin": (2.2, 3.2),
    "grip": (120.0, 170.0),
    "braking": (45.0, 75.0),
    "top_speed": (85.0, 110.0),
    "blind_speed": (55.0, 80.0),
    "gas": (0.05, 0.15),
    "brake": (0.03, 0.08),
    "gas_when_steering": (0.4, 1.6),
    "slide": (150.0, 350.0),
}


@dataclass(frozen=True)
class Options:
    """Search for gains with a higher mean score."""

    trials: int = 100
    """Sets of gains to try; the present ones are the first."""
    tracks: int = 60
    """Training tracks that a trial drives."""
    seed: int = 0
    """Of the sampler and of the choice of tracks."""


def score(world: World, gains: PidGains, track: int) -> float:
    """Score of one episode; once nothing more is gained, the rest of its frames is only counted."""
    for moment in drive(world, track, acting(PidPolicy(gains))):
        if moment.step.idle_frames >= IDLE_FRAMES:
            return world.score - 0.1 * (1000 - world.simulator.frames)
    return world.score


def suggest(trial: optuna.Trial) -> PidGains:
    """The gains of a trial."""
    return PidGains(
        **{
            name: trial.suggest_float(name, low, high, log=low > 0 and high >= 10 * low)
            for name, (low, high) in RANGES.items()
        }
    )


def _hopeless(scores: list[float], best: list[float]) -> bool:
    """Whether a trial is clearly behind the best one on the tracks that it has driven."""
    enough = len(scores) > 0 and len(scores) % CHECK_EVERY == 0 and len(best) > 0
    return enough and float(np.mean(scores)) < float(np.mean(best[: len(scores)])) - GIVE_UP_POINTS


def main(options: Options) -> None:
    """Search and print."""
    if options.trials < 1 or options.tracks < 1 or options.seed < 0:
        exit_with_error("trials and tracks must be at least 1, the seed at least 0")
    rng = np.random.default_rng(options.seed)
    tracks = [draw_training_track(rng) for _ in range(options.tracks)]
    world = World(WorldSpec(**WORLD), "fast")

    best: list[float] = []  # scores of the best trial, track by track

    def objective(trial: optuna.Trial) -> float:
        nonlocal best
        gains, scores = suggest(trial), list[float]()
        while len(scores) < len(tracks) and not _hopeless(scores, best):
            scores.append(score(world, gains, tracks[len(scores)]))
        mean = float(np.mean(scores))
        trial.report(mean, len(scores))
        values = ", ".join(f"{name}={value:.4g}" for name, value in trial.params.items())
        print(f"trial {trial.number}: {mean:.1f} on {len(scores)} tracks, {values}", flush=True)
        if len(scores) < len(tracks):
            raise optuna.TrialPruned
        best = scores if not best or mean > np.mean(best) else best
        return mean

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=options.seed, n_startup_trials=6),
    )
    study.enqueue_trial(
        {name: value for name, value in asdict(PidGains()).items() if name in RANGES}
    )
    study.optimize(objective, n_trials=options.trials)
    print(f"best mean {study.best_value:.1f}:")
    for field in fields(PidGains):
        print(f"  {field.name} = {study.best_params[field.name]:.4g}")


if __name__ == "__main__":
    main(tyro.cli(Options))
