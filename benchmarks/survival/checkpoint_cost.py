"""Measures which share of a default run's time is spent on checkpoints.

python -m benchmarks.survival.checkpoint_cost     -> results/survival_checkpoint_cost.csv

It saves the same checkpoints as a default run at the default interval, without the driving in between. The duration of
training in such an interval comes from the validation.csv of a recorded run.
"""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

import DDQN
from agents.backend import set_up_tensorflow
from agents.replay import Replay, Trajectory
from benchmarks.rows import check_writable, write_rows
from system.csv_files import read_csv
from system.forked import ROOT
from training.actors.pool import Pool
from training.runs.checkpoint import Checkpoints
from training.runs.run_folder import VALIDATIONS, RunFolder
from training.session import actor_spec
from training.stop import Stop
from training.tracking.run_log import RunLog
from training.trainer import Trainer


@dataclass(frozen=True)
class Options:
    """Measure the cost of the checkpoints of a default run."""

    run: Path = ROOT / "results" / "runs" / "ddqn-seed1"
    """A recorded run, for the duration of training."""
    checkpoints: int = 10
    """Number of checkpoints; the first is not timed, because it has no experience to save."""
    folder: Path | None = None
    """Folder to save to, whose disk is measured; by default a temporary folder."""
    csv: Path = ROOT / "results" / "survival_checkpoint_cost.csv"
    """File for the result."""


def main(options: Options) -> None:
    """Save checkpoints, and write and print their share of the time."""
    check_writable(options.csv)
    settings = DDQN.Settings()
    set_up_tensorflow(settings.threads, "cpu")
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        checkpoints = Checkpoints(Path(name) / "checkpoints")
        trainer = trainer_that_saves(settings, RunFolder(Path(name)), checkpoints)
        times = [_save(trainer) for _ in range(options.checkpoints + 1)]
        size = sum(f.stat().st_size for f in checkpoints.folder.rglob("*") if f.is_file())
        content = checkpoints.folder / f"{checkpoints.steps()[-1]:09d}"
        fixed = sum(f.stat().st_size for f in content.iterdir())
    wall, cpu = map(float, np.median(times[1:], axis=0))
    seconds = _seconds_per_decision(options.run) * settings.checkpoint_every
    row = {
        "checkpoints": options.checkpoints,
        "decisions_between": settings.checkpoint_every,
        "seconds_of_training_between": round(seconds, 2),
        "median_save_seconds": round(wall, 3),
        "median_save_cpu_seconds": round(cpu, 3),
        "share": round(wall / (seconds + wall), 4),
        "cpu_share": round(cpu / (seconds + cpu), 4),
        "mib_each": round((fixed + (size - 2 * fixed) / options.checkpoints) / 2**20, 1),
        "load": round(os.getloadavg()[0], 1),
    }
    print(row)
    write_rows(options.csv, [row])


def trainer_that_saves(
    settings: DDQN.Settings, run: RunFolder, checkpoints: Checkpoints
) -> Trainer:
    """Make a trainer of DDQN.py without sinks or worker processes."""
    pool = Pool(actor_spec(settings, DDQN.DDQN), [])
    agent = DDQN.DDQN(settings)
    return Trainer(agent, pool, run, checkpoints, RunLog(()), Stop(), lambda *_: b"")


def _save(trainer: Trainer) -> tuple[float, float]:
    """Save one checkpoint, and add the experience before the next; returns seconds and CPU seconds of the save."""
    began = time.monotonic(), time.process_time()
    trainer.save()
    took = time.monotonic() - began[0], time.process_time() - began[1]
    remember_noise(trainer.agent.replay, trainer.settings.checkpoint_every)
    return took


def remember_noise(replay: Replay, decisions: int) -> None:
    """Add random experience to the replay, which takes as much space as real experience."""
    noise = np.random.default_rng(replay.decisions)
    shape = (decisions // replay.store.environments, replay.store.environments)
    empty = replay.store.trajectory(0, 0)  # for the shapes and dtypes of its parts
    replay.extend(
        Trajectory(
            **{
                name: noise.integers(256, size=shape + array.shape[2:], dtype=np.uint8)
                if name == "frame"
                else np.zeros(shape, array.dtype)
                for name, array in vars(empty).items()
            }
        )
    )


def _seconds_per_decision(run: Path) -> float:
    last = read_csv(run / VALIDATIONS)[-1]
    return float(last["seconds"]) / float(last["decisions"])


if __name__ == "__main__":
    main(tyro.cli(Options))
