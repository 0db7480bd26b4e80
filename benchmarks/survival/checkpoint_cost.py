"""What checkpoints cost: the share of a default run's time that they take.

python -m benchmarks.survival.checkpoint_cost     -> results/survival_checkpoint_cost.csv

The saves are those of a default run at the default interval, timed; the driving between them is left out. What training
takes in such an interval is in the recorded runs' validation.csv.
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
    """Save as a default run does, and time it."""

    run: Path = ROOT / "results" / "runs" / "ddqn-seed1"
    """A recorded run: how long training takes."""
    checkpoints: int = 10
    """How many to time; the first, which has nothing to save, does not count."""
    folder: Path | None = None
    """Where to save; the disk counts. A temporary folder if none."""
    csv: Path = ROOT / "results" / "survival_checkpoint_cost.csv"
    """Where to write the result."""


def main(options: Options) -> None:
    """Save again and again, write the share."""
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
    """A trainer of DDQN.py, which tells nobody anything; whatever drives is in this process."""
    pool = Pool(actor_spec(settings, DDQN.DDQN), [])
    agent = DDQN.DDQN(settings)
    return Trainer(agent, pool, run, checkpoints, RunLog(()), Stop(), lambda *_: b"")


def _save(trainer: Trainer) -> tuple[float, float]:
    """One checkpoint and the experience before the next; seconds and CPU seconds of the save."""
    began = time.monotonic(), time.process_time()
    trainer.save()
    took = time.monotonic() - began[0], time.process_time() - began[1]
    remember_noise(trainer.agent.replay, trainer.settings.checkpoint_every)
    return took


def remember_noise(replay: Replay, decisions: int) -> None:
    """As if it had driven: what is remembered takes its room, and means nothing."""
    noise = np.random.default_rng(replay.decisions)
    shape = (decisions // replay.store.environments, replay.store.environments)
    empty = replay.store.trajectory(0, 0)  # says what an item is made of
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
