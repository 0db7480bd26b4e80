"""What each part of DDQN.py's default is worth: the default without it, everything else and the budget the same.

python -m benchmarks.learning.ablations --seeds 1 2 3                a run per part and seed -> results/ablations.csv
python -m benchmarks.learning.ablations --seeds 4 --only default no-double
python -m benchmarks.learning.ablations --table                      results/ablations.csv -> learning.md
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro
from annotated_types import Ge, Interval, Unit
from numpy.typing import NDArray
from safetensors.numpy import load_file

import DDQN
import DQN
from benchmarks.rows import check_writable, write_rows
from evaluation.evaluation import summarise
from racing.camera import FastCamera
from racing.episode import Episode
from racing.gauges import Gauges
from racing.simulator import Simulator
from racing.spec import IMAGE_HEIGHT, IMAGE_WIDTH, WorldSpec
from racing.tracks import VALIDATION
from racing.vision import ROAD_ROWS, compose
from racing.world import World
from reports.ablation_table import COLUMNS, DEFAULT, ablation_table, read_rows
from reports.curves import read_points
from reports.report import write_block
from system.exits import EXIT_FAILED, exit_with_error
from system.ranges import Count
from training.actors.pool import Pool, WorkerError
from training.actors.worker import ProcessWorker
from training.memory import worker_count
from training.runs.run_folder import BEST, FREE_ON_RESUME
from training.session import MakeWorld, actor_spec, train
from training.settings import changed, check, flat
from training.tracking.console import ConsoleLog
from training.tracking.csv_log import VALIDATIONS
from training.trainer import TrainingError

FIRST_SCORED = 1000  # of the validation tracks; those before are for choosing the best weights
# Schedules, as long a part of the run as the default's.
_SCALED = ("learning_rate_updates", "beta_updates")
PAGE = Path(__file__).parents[2] / "docs" / "lab_notes.md"


class WithoutDouble(DDQN.DDQN):
    """Learns from the TD error of DQN.py."""

    td_error = staticmethod(DQN.td_error)


class WithoutGauges:
    """The fast camera, its instruments at zero."""

    def __init__(self, height: int, width: int) -> None:
        self._size = height, width
        self._camera = FastCamera(IMAGE_HEIGHT, IMAGE_WIDTH)

    def render(self, simulator: Simulator) -> NDArray[np.uint8]:
        """The present view, uint8 [H, W]."""
        road = self._camera.render(simulator)[:ROAD_ROWS]
        return compose(road, Gauges(0.0, 0.0, 0.0), *self._size)


def world_without_gauges(spec: WorldSpec) -> World:
    """A world whose images show the road alone."""
    world = World(spec)
    world.camera = WithoutGauges(spec.height, spec.width)
    return world


@dataclass(frozen=True)
class Ablation:
    """One change of the default.

    Attributes:
        settings: What is set otherwise.
        agent: What learns.
        make_world: What the cars drive in.
    """

    settings: dict[str, Any] = field(default_factory=dict)
    agent: type[DDQN.DDQN] = DDQN.DDQN
    make_world: MakeWorld = World


ABLATIONS = {
    DEFAULT: Ablation(),
    "no-double": Ablation(agent=WithoutDouble),
    "no-priorities": Ablation({"alpha": 0.0}),  # all alike: the importance weights are 1 too
    "huber-threshold-1": Ablation({"huber_delta": 1.0}),
    "n-step-1": Ablation({"n_step": 1}),
    "no-dueling": Ablation({"dueling": False}),
    "no-mirror": Ablation({"mirror": False}),
    "no-gauges": Ablation(make_world=world_without_gauges),
    "no-grass-penalty": Ablation({"grass_penalty": 0.0}),
    "no-missed-tile-penalty": Ablation({"missed_tile_penalty": 0.0}),
    "no-crawl-penalty": Ablation({"crawl_penalty": 0.0}),
    "no-speed-limit": Ablation({"speed_limit": 0.0}),
    "no-slip-penalty": Ablation({"slip_penalty": 0.0}),
    "no-reward-offset": Ablation({"reward_offset": 0.0}),
    "no-averaging": Ablation({"ema_rate": 1.0}),
    "constant-learning-rate": Ablation({"learning_rate_updates": 10**9}),
    "small-replay": Ablation({"replay_capacity": 20_000}),
    "stock-actions": Ablation({"actions": "stock"}),
    "greedy-as-training": Ablation({"greedy_frame_skip": 4}),
}


@dataclass(frozen=True)
class Options:
    """Train the default without each of its parts and score the best weights on validation tracks."""

    seeds: tuple[Annotated[int, Ge(0)], ...] = (1,)
    """Seeds; the first is done for all parts before the second begins."""
    only: tuple[str, ...] = tuple(ABLATIONS)
    """Which of them."""
    decisions: Count = 80_000
    """Length of every run; schedules by updates are shortened with it."""
    tracks: Annotated[int, Interval(ge=1, le=len(VALIDATION) - FIRST_SCORED), Unit("tracks")] = 100
    """Validation tracks to score on; none of them was used for choosing the weights."""
    csv: Path = Path("results/ablations.csv")
    """Where the rows are; what is there already is not run again."""
    table: bool = False
    """Run nothing: write the table into docs/lab_notes.md."""
    page: Path = PAGE
    """Where the table goes, between its markers."""

    def check(self) -> None:
        """Refuse an unknown ablation.

        Raises:
            ValueError: Naming it.
        """
        unknown = [name for name in self.only if name not in ABLATIONS]
        if unknown:
            raise ValueError(f"only must be of {', '.join(ABLATIONS)}; got {', '.join(unknown)}")


def shortened(default: DDQN.Settings, decisions: int) -> DDQN.Settings:
    """The default for another number of decisions: it gets as far along its schedules."""
    share, all_of_them = decisions / default.decisions, flat(default)
    scaled = {name: max(round(all_of_them[name] * share), 1) for name in _SCALED}
    return changed(default, decisions=decisions, **scaled)


def digest(base: DDQN.Settings, tracks: int) -> str:
    """Tells rows of one table from rows of another: what was measured, whatever the seed."""
    facts = {k: v for k, v in flat(base).items() if k not in FREE_ON_RESUME | {"seed"}}
    text = json.dumps([facts, base.decisions, tracks], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def run(name: str, settings: DDQN.Settings, tracks: int) -> dict[str, str]:
    """Train and score.

    Returns:
        A row without the settings' digest.

    Raises:
        TrainingError: If something is NaN or infinite.
        WorkerError: If worker processes die again and again.
    """
    ablation = ABLATIONS[name]
    with tempfile.TemporaryDirectory() as folder:
        where = {"runs": Path(folder), "name": name, "test_episodes": 0}
        settings = changed(settings, **where, **ablation.settings)
        agent, make_world = ablation.agent, ablation.make_world
        done = train(settings, agent, sinks=[ConsoleLog()], make_world=make_world)
        points = read_points(done.run / VALIDATIONS)
        weights = load_file(done.run / BEST)
    spec = actor_spec(settings, agent, make_world)
    workers = [ProcessWorker(spec, settings.threads) for _ in range(worker_count(settings))]
    pool = Pool(spec, workers)
    try:
        drive = pool.validate(weights, list(VALIDATION[FIRST_SCORED : FIRST_SCORED + tracks]))
    finally:
        pool.close()
    return _row(name, settings.seed, points, drive.episodes)


def _row(
    name: str, seed: int, points: NDArray[np.float64], episodes: list[Episode]
) -> dict[str, str]:
    scores = summarise(episodes)
    minutes, decisions, updates, _ = points[-1]
    return {
        "run": name,
        "seed": str(seed),
        "minutes": f"{minutes:.2f}",
        "decisions": f"{decisions:.0f}",
        "updates": f"{updates:.0f}",
        "mean": f"{scores.mean:.2f}",
        "std": f"{scores.std:.2f}",
        "min": f"{scores.min:.2f}",
        "laps": str(scores.laps),
        "episodes": str(scores.episodes),
        "curve": " ".join(f"{d:.0f}:{score:.1f}" for _, d, _, score in points),
    }


def main(options: Options) -> None:
    """Run what is not there yet, or write the table."""
    o = options
    try:
        check(o)
        rows = read_rows(o.csv) if o.table or o.csv.exists() else []
        if o.table:
            write_block(o.page, "ablations", ablation_table(rows))
            return
        base = shortened(DDQN.Settings(), o.decisions)
        ours = digest(base, o.tracks)
        if any(row["settings"] != ours for row in rows):
            raise ValueError(f"{o.csv} has rows of other settings: name another --csv or remove it")
    except (ValueError, OSError) as e:
        exit_with_error(e)
    check_writable(o.csv)
    done, failed = {(row["run"], int(row["seed"])) for row in rows}, False
    for seed, name in ((seed, name) for seed in o.seeds for name in o.only):
        if (name, seed) in done:
            continue
        try:
            row = run(name, changed(base, seed=seed), o.tracks)
        except (TrainingError, WorkerError) as e:
            print(f"{name}, seed {seed}: {e}", file=sys.stderr)
            failed = True
            continue
        rows.append({column: (row | {"settings": ours})[column] for column in COLUMNS})
        write_rows(o.csv, rows)
    if failed:
        raise SystemExit(EXIT_FAILED)


if __name__ == "__main__":
    main(tyro.cli(Options))
