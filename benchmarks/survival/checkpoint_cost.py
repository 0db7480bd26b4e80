"""What checkpoints cost: the share of a default run's time that they take.

python -m benchmarks.survival.checkpoint_cost     -> results/survival_checkpoint_cost.csv

The saves are those of a default run at the default interval, timed; the driving between them is left out. What training
takes in such an interval is in the recorded runs' validation.csv.
"""

from __future__ import annotations

import csv
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from training.tracking.journal import Journal

import DDQN
from agents.backend import set_up_tensorflow
from agents.replay import Trajectory
from benchmarks.rows import refuse_unwritable, write_rows
from system.forked import ROOT
from training.runs.checkpoint import Checkpoints
from training.settings import RunSettings
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
    refuse_unwritable(options.csv)
    settings = DDQN.Settings()
    set_up_tensorflow(settings.threads, "cpu")
    trainer = DDQN.build(settings)
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        run = Path(name)
        with Journal(run, settings.decisions) as journal:
            checkpoints = Checkpoints(run / "checkpoints")
            times = [
                _save(trainer, settings, journal, checkpoints)
                for _ in range(options.checkpoints + 1)
            ]
        size = sum(f.stat().st_size for f in (run / "checkpoints").rglob("*") if f.is_file())
        content = f"{checkpoints.steps()[-1]:09d}"
        fixed = sum(f.stat().st_size for f in (run / "checkpoints" / content).iterdir())
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


def _save(
    trainer: Trainer, settings: RunSettings, journal: Journal, checkpoints: Checkpoints
) -> tuple[float, float]:
    """One checkpoint and the experience before the next; seconds and CPU seconds of the save."""
    began = time.monotonic(), time.process_time()
    trainer.save(journal, checkpoints)
    took = time.monotonic() - began[0], time.process_time() - began[1]
    remember_noise(trainer, settings.checkpoint_every)
    return took


def remember_noise(trainer: Trainer, decisions: int) -> None:
    """As if it had driven: what is remembered takes its room, and means nothing."""
    store, world = trainer.replay.store, trainer.spec.world
    shape = (decisions // store.environments, store.environments)
    rng = np.random.default_rng(trainer.decisions)
    noise = rng.integers(256, size=(*shape, world.height, world.width), dtype=np.uint8)
    flat = [np.zeros(shape, t) for t in (np.uint8, np.float32, np.bool_, np.bool_, np.uint16)]
    trainer.replay.extend(Trajectory(noise, *flat))
    trainer.decisions += decisions


def _seconds_per_decision(run: Path) -> float:
    with (run / "validation.csv").open(newline="") as file:
        last = list(csv.DictReader(file))[-1]
    return float(last["seconds"]) / float(last["decisions"])


if __name__ == "__main__":
    main(tyro.cli(Options))
