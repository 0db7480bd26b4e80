"""What each part of DDQN.py's default is worth: the default without it, everything else and the budget the same.

python -m benchmarks.learning.ablations --seeds 1 2 3                a run per part and seed -> results/ablations.csv
python -m benchmarks.learning.ablations --seeds 4 --only default no-double
python -m benchmarks.learning.ablations --table                      results/ablations.csv -> learning.md
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import tyro
from agents.learner import Learner, Weights
from agents.td import TdError, q_learning
from numpy.typing import NDArray
from training.tracking.journal import Journal

import DDQN
import racing.camera
from agents.backend import set_up_tensorflow
from benchmarks.rows import refuse_unwritable, write_rows
from racing.gauges import Gauges
from racing.tracks import VALIDATION
from racing.vision import compose
from reports.ablation_table import COLUMNS, DEFAULT, ablation_table, read_rows
from reports.curves import read_points
from reports.report import write_block
from system.exits import EXIT_FAILED, refuse
from training.actors.pool import LocalPool, WorkerPool
from training.runs.checkpoint import Checkpoints
from training.runs.run_folder import FREE_ON_RESUME
from training.trainer import Trainer, TrainingError

FIRST_SCORED = 1000  # of the validation tracks; those before are for choosing the best weights
# Schedules, as long a part of the run as the default's.
_SCALED = ("learning_rate_updates", "beta_updates")
PAGE = Path(__file__).parents[2] / "docs" / "lab_notes.md"


@dataclass(frozen=True)
class Ablation:
    """One change of the default.

    Attributes:
        settings: What is set otherwise.
        td_error: What is learned from instead of Double Q-learning.
        sees_gauges: Whether the rows below the road show anything.
    """

    settings: dict[str, Any] = field(default_factory=dict)
    td_error: TdError | None = None
    sees_gauges: bool = True


ABLATIONS = {
    DEFAULT: Ablation(),
    "no-double": Ablation(td_error=q_learning),
    "no-priorities": Ablation({"alpha": 0.0}),  # all alike: the importance weights are 1 too
    "huber-threshold-1": Ablation({"huber_threshold": 1.0}),
    "n-step-1": Ablation({"n_step": 1}),
    "no-dueling": Ablation({"dueling": False}),
    "no-mirror": Ablation({"mirror": False}),
    "no-gauges": Ablation(sees_gauges=False),
    "no-grass-penalty": Ablation({"grass_penalty": 0.0}),
    "no-missed-tile-penalty": Ablation({"missed_tile_penalty": 0.0}),
    "no-crawl-penalty": Ablation({"crawl_penalty": 0.0}),
    "no-speed-limit": Ablation({"speed_limit": 0.0}),
    "no-slip-penalty": Ablation({"slip_penalty": 0.0}),
    "no-reward-offset": Ablation({"reward_offset": 0.0}),
    "no-averaging": Ablation({"average_rate": 1.0}),
    "constant-learning-rate": Ablation({"learning_rate_updates": 10**9}),
    "small-replay": Ablation({"replay_decisions": 20_000}),
    "stock-actions": Ablation({"actions": "stock"}),
    "greedy-as-training": Ablation({"greedy_frame_skip": 4}),
}


@dataclass(frozen=True)
class Options:
    """Train the default without each of its parts and score the best weights on validation tracks."""

    seeds: tuple[int, ...] = (1,)
    """Seeds; the first is done for all parts before the second begins."""
    only: tuple[str, ...] = tuple(ABLATIONS)
    """Which of them."""
    decisions: int = 80_000
    """Length of every run; schedules by updates are shortened with it."""
    tracks: int = 100
    """Validation tracks to score on; none of them was used for choosing the weights."""
    csv: Path = Path("results/ablations.csv")
    """Where the rows are; what is there already is not run again."""
    table: bool = False
    """Run nothing: write the table into docs/lab_notes.md."""
    page: Path = PAGE
    """Where the table goes, between its markers."""

    def check(self) -> None:
        """Refuse what cannot be.

        Raises:
            ValueError: Naming the option.
        """
        unknown = [name for name in self.only if name not in ABLATIONS]
        if unknown:
            raise ValueError(f"only must be of {', '.join(ABLATIONS)}; got {', '.join(unknown)}")
        if self.decisions < 1 or min(self.seeds, default=0) < 0:
            raise ValueError("decisions must be at least 1 and seeds at least 0")
        if not 1 <= self.tracks <= len(VALIDATION) - FIRST_SCORED:
            raise ValueError(
                f"tracks must be 1 to {len(VALIDATION) - FIRST_SCORED}, got {self.tracks}"
            )


def shortened(default: DDQN.Settings, decisions: int) -> DDQN.Settings:
    """The default for another number of decisions: it gets as far along its schedules."""
    share = decisions / default.decisions
    scaled = {name: max(round(getattr(default, name) * share), 1) for name in _SCALED}
    return replace(default, decisions=decisions, **scaled)


def digest(base: DDQN.Settings, tracks: int) -> str:
    """Tells rows of one table from rows of another: what was measured, whatever the seed."""
    facts = {k: v for k, v in asdict(base).items() if k not in FREE_ON_RESUME | {"seed"}}
    text = json.dumps([facts, base.decisions, tracks], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@contextmanager
def changed(ablation: Ablation) -> Iterator[None]:
    """What is no setting is another value in this process, for as long as the context lasts."""
    with ExitStack() as stack:
        if ablation.td_error is not None:
            stack.enter_context(patch.object(DDQN, "double_q_learning", ablation.td_error))
        if not ablation.sees_gauges:
            stack.enter_context(patch.object(racing.camera, "compose", _compose_without_gauges))
        yield


def _compose_without_gauges(
    road: NDArray[np.uint8], shown: Gauges, height: int, width: int
) -> NDArray[np.uint8]:
    return compose(road, Gauges(0.0, 0.0, 0.0), height, width)


class _NoCheckpoints(Checkpoints):
    """A run that is made again if it is interrupted."""

    def save(self, *_: Any, **__: Any) -> None:
        """Nothing."""


def run(name: str, settings: DDQN.Settings, tracks: int) -> dict[str, str]:
    """Train and score; in a process of its own, because it sets TensorFlow up.

    Returns:
        A row without the settings' digest.
    """
    ablation = ABLATIONS[name]
    settings = replace(settings, **ablation.settings)
    settings.check()
    set_up_tensorflow(settings.threads, settings.device)
    best: Weights = {}

    def keep(learner: Learner, facts: dict[str, Any]) -> bytes:
        best.update(learner.driving_weights())
        return b""  # no file is wanted

    with changed(ablation), tempfile.TemporaryDirectory() as folder:
        trainer = DDQN.build(settings)
        trainer.pack_best = keep
        # A worker process would not know of a change in this one; the result is the same, the minutes are not.
        here = not ablation.sees_gauges or settings.workers == 0
        pool = (
            LocalPool(trainer.spec)
            if here
            else WorkerPool(trainer.spec, settings.workers, settings.threads, print)
        )
        try:
            with Journal(Path(folder), settings.decisions) as journal:
                journal.say(f"{name}, seed {settings.seed}")
                trainer.run(pool, journal, _NoCheckpoints(Path(folder)))
            scored = list(VALIDATION[FIRST_SCORED : FIRST_SCORED + tracks])
            episodes = [e for drive in pool.validate(best, scored) for e in drive.episodes]
        finally:
            pool.close()
        return _row(name, trainer, [(e.score, e.laps) for e in episodes], Path(folder))


def _row(
    name: str, trainer: Trainer, episodes: list[tuple[float, int]], folder: Path
) -> dict[str, str]:
    scores, laps = np.array(episodes).T
    curve = read_points(folder / "validation.csv")
    return {
        "run": name,
        "seed": str(trainer.settings.seed),
        "minutes": f"{trainer.seconds / 60:.2f}",
        "decisions": str(trainer.decisions),
        "updates": str(trainer.learner.updates),
        "mean": f"{scores.mean():.2f}",
        "std": f"{scores.std():.2f}",
        "min": f"{scores.min():.2f}",
        "laps": str(int(laps.sum())),
        "episodes": str(len(scores)),
        "curve": " ".join(f"{d:.0f}:{score:.1f}" for _, d, _, score in curve),
    }


def main(options: Options) -> None:
    """Run what is not there yet, or write the table."""
    o = options
    try:
        o.check()
        rows = read_rows(o.csv) if o.table or o.csv.exists() else []
        if o.table:
            write_block(o.page, "ablations", ablation_table(rows))
            return
        base = shortened(DDQN.Settings(), o.decisions)
        ours = digest(base, o.tracks)
        if any(row["settings"] != ours for row in rows):
            raise ValueError(f"{o.csv} has rows of other settings: name another --csv or remove it")
    except (ValueError, OSError) as e:
        refuse(e)
    refuse_unwritable(o.csv)
    done, failed = {(row["run"], int(row["seed"])) for row in rows}, False
    context = multiprocessing.get_context("spawn")
    for seed, name in ((seed, name) for seed in o.seeds for name in o.only):
        if (name, seed) in done:
            continue
        with ProcessPoolExecutor(1, context) as process:
            try:
                row = process.submit(run, name, replace(base, seed=seed), o.tracks).result()
            except TrainingError as e:
                print(f"{name}, seed {seed}: {e}", file=sys.stderr)
                failed = True
                continue
        rows.append({column: (row | {"settings": ours})[column] for column in COLUMNS})
        write_rows(o.csv, rows)
    if failed:
        raise SystemExit(EXIT_FAILED)


if __name__ == "__main__":
    main(tyro.cli(Options))
