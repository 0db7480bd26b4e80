"""Drive the same unseen tracks with every driver and tell the scores.

python evaluate.py random models/ddqn.safetensors
python evaluate.py models/ddqn.safetensors --tracks 0:100 --csv results/ddqn.csv
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.progress import Progress

from racing.tracks import parse_tracks
from racing.world import CameraName
from training.drivers import check_driver
from training.episode import write_episodes
from training.evaluation import evaluate, summary_line
from training.refusal import refuse


@dataclass(frozen=True)
class Options:
    """Measure drivers: whole episodes, raw reward, 1000 frames, nothing ended early."""

    drivers: tyro.conf.Positional[tuple[str, ...]]
    """random, random-continuous, pid, or weight files."""
    tracks: str = "test"
    """test, validation, or FIRST:LAST reset seeds (LAST excluded)."""
    episodes: int = 50
    """How many tracks of a named set."""
    camera: CameraName = "official"
    """What the driver sees with; scores are reported under the official camera."""
    csv: Annotated[Path | None, tyro.conf.arg(metavar="PATH")] = None
    """Write one row per episode here (with one driver)."""
    processes: int = os.cpu_count() or 1
    """Tracks driven at once. Changes the time, not the result."""


def main(options: Options) -> None:
    """Measure and print."""
    try:
        tracks = parse_tracks(options.tracks, options.episodes)
        if not options.drivers:
            raise ValueError("name at least one driver")
        if options.csv and len(options.drivers) != 1:
            raise ValueError("--csv takes one driver at a time")
        if options.csv and not os.access(options.csv.resolve().parent, os.W_OK):
            raise ValueError(f"cannot write to {options.csv.resolve().parent}")
        if options.processes < 1:
            raise ValueError(f"processes must be at least 1, got {options.processes}")
        for name in options.drivers:
            check_driver(name)
    except ValueError as e:
        refuse(e)
    console = Console()
    for name in options.drivers:
        with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
            task = bar.add_task(name, total=len(tracks))
            episodes = evaluate(
                name,
                tracks,
                options.camera,
                options.processes,
                lambda done, total: bar.update(task, completed=done),  # noqa: B023
            )
        if options.csv:
            write_episodes(options.csv, episodes)
        print(summary_line(name, episodes), flush=True)


if __name__ == "__main__":
    main(tyro.cli(Options))
