"""What checkpoints cost: their share of the training time of a run with the defaults.

python -m benchmarks.checkpoint_cost     -> results/survival_checkpoint_cost.csv
"""

from __future__ import annotations

import csv
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

import DDQN
from benchmarks.forked import ROOT
from training.checkpoint import Checkpoints
from training.journal import Journal
from training.pool import WorkerPool
from training.tensorflow_setup import set_up_tensorflow


@dataclass(frozen=True)
class Options:
    """Train with the defaults, without validations, and time the saves."""

    decisions: int = 40_000
    """Length of the run."""
    folder: Path | None = None
    """Where to save; the disk counts. A temporary folder if none."""
    csv: Path = ROOT / "results" / "survival_checkpoint_cost.csv"
    """Where to write the result."""


def main(options: Options) -> None:
    """Train, write the shares."""
    settings = DDQN.Settings(decisions=options.decisions, validate_every=10**9, validation_tracks=1)
    set_up_tensorflow(settings.threads, "cpu")
    trainer = DDQN.build(settings)
    saves: list[float] = []
    save = trainer.save

    def timed(*arguments: Any) -> None:
        began = time.monotonic()
        save(*arguments)
        saves.append(time.monotonic() - began)

    trainer.save = timed  # type: ignore[method-assign,assignment]
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        run = Path(name)
        pool = WorkerPool(trainer.spec, settings.workers, settings.threads, print)
        with Journal(run, settings.decisions) as journal:
            trainer.run(pool, journal, Checkpoints(run / "checkpoints"))
        pool.close()
        newest = max((run / "checkpoints").glob("[0-9]*"))
        size = sum(f.stat().st_size for f in newest.iterdir()) / 2**20
    inner = saves[1:-1]  # at regular intervals, full ones
    row = {
        "decisions": options.decisions,
        "checkpoint_every": settings.checkpoint_every,
        "checkpoints": len(saves),
        "seconds_training": round(trainer.seconds, 2),
        "seconds_saving": round(sum(saves), 3),
        "longest_save": round(max(saves), 3),
        "mean_save": round(sum(inner) / len(inner), 3),
        "mib_per_checkpoint_without_replay": round(size, 1),
        "share": round(sum(saves) / (trainer.seconds + sum(saves)), 4),
    }
    print(row)
    with options.csv.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(row), lineterminator="\n")
        writer.writeheader()
        writer.writerow(row)


if __name__ == "__main__":
    main(tyro.cli(Options))
