"""Trains the same settings with several seeds, and reports the mean over the seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evaluation.evaluation import bootstrap_interval, summarise
from evaluation.scores import read_episodes
from experiments.gpus import Gpus
from experiments.jobs import Done, unfinished
from experiments.runs import Place, make, names, score
from experiments.scripts import Script
from racing.episode import Episode
from reports.compare_groups import FREE
from reports.curves import read_curve
from reports.learning_report import draw_runs
from reports.markdown import table
from reports.png import as_png
from reports.report import score_cells
from system.csv_files import as_csv
from system.files import sha256, write_whole
from training.runs.names import check_new
from training.runs.run_folder import TESTS, RunFolder, as_json
from training.settings import RunSettings, flat
from training.stop import Stop

CSV, REPORT, PICTURE = "seeds.csv", "report.md", "learning.png"
HEAD = ("seed", "run", "validation", "test", "low", "high", "laps", "episodes")


@dataclass(frozen=True)
class SeedRun:
    """A finished run.

    Attributes:
        seed: Seed of the run.
        folder: Folder of the run.
        validation: Best mean score on the validation tracks.
        test: Episodes of its best weights on the test tracks; empty without a test.
    """

    seed: int
    folder: RunFolder
    validation: float
    test: list[Episode]

    @property
    def score(self) -> float:
        """Mean score on the test tracks or, without a test, the best mean on the validation tracks."""
        return float(np.mean([e.score for e in self.test])) if self.test else self.validation


def stem(settings: RunSettings) -> str:
    """Return the common part of the runs' names: their --name, or a name derived from the settings."""
    learned = {k: v for k, v in flat(settings).items() if k not in FREE}
    return settings.name or f"{settings.preset}-{sha256(as_json(learned))[:8]}"


def train_seeds(
    script: Script,
    settings: RunSettings,
    seeds: Sequence[int],
    at_once: int,
    stop: Stop,
    gpus: Gpus | None,
) -> Path:
    """Train a run for every seed that is not trained yet, and write a report on all of them.

    Args:
        script: The script that trains.
        settings: Settings of the runs, apart from the seed.
        seeds: The seeds.
        at_once: The largest number of runs at a time; changes the time, not the result.
        stop: Checked several times a second.
        gpus: GPUs to learn on, one run on each at a time; if None, the settings decide.

    Returns:
        The folder of the report.

    Raises:
        RunError: If the name of the runs is invalid.
        StoppedError: If a stop was requested.
        UnfinishedError: If a run failed or was killed.
        OSError: If a file cannot be written.
    """
    name = stem(settings)
    folder = settings.runs / "seeds" / f"{script.agent}-{name}"
    place = Place(script, settings.runs, folder / "logs", at_once, gpus, stop)
    wanted = names(name, settings, seeds)
    for run in wanted:
        if not place.folder(run).is_there():
            check_new(settings.runs, script.agent, run)

    def ended(done: Done) -> str:
        run = _read(done.job.run, wanted[done.job.name])
        return f"{run.score:.1f} on {'test' if run.test else 'validation'} tracks"

    done = make(place, wanted, ended)
    if failed := [one for one in done.values() if one.code]:
        raise unfinished(failed)
    runs = [_read(place.folder(name), s) for name, s in wanted.items()]
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / CSV, _csv(runs))
    write_whole(folder / REPORT, report(script.agent, name, runs).encode())
    write_whole(folder / PICTURE, _picture(script.agent, runs))
    return folder


def _read(folder: RunFolder, settings: RunSettings) -> SeedRun:
    tested = folder.path / TESTS
    test = read_episodes(tested) if settings.test_episodes and tested.exists() else []
    return SeedRun(settings.seed, folder, score(folder, "validation", settings), test)


def _csv(runs: Sequence[SeedRun]) -> bytes:
    rows = []
    for r in runs:
        row: list[object] = [r.seed, r.folder.path.name, f"{r.validation:.2f}"]
        if r.test:
            s = summarise(r.test)
            row += [f"{s.mean:.2f}", f"{s.low:.2f}", f"{s.high:.2f}", s.laps, s.episodes]
        else:
            row += [""] * 5
        rows.append(row)
    return as_csv(HEAD, rows)


def report(agent: str, name: str, runs: Sequence[SeedRun]) -> str:
    """Make the report in Markdown: mean over the seeds with its interval, worst seed, laps, and a row per seed."""
    scores = [r.score for r in runs]
    low, high = bootstrap_interval(scores)
    worst = min(runs, key=lambda r: (r.score, r.seed))
    tested = all(r.test for r in runs)
    kind = "the test tracks" if tested else "validation tracks, the best"
    interval = f" [{low:.1f}, {high:.1f}]" if len(runs) > 1 else ""
    line = (
        f"{np.mean(scores):.1f}{interval} on {kind}: mean of {len(runs)} seeds and its 95 % bootstrap"
        f" interval over seeds; worst seed {worst.seed}: {worst.score:.1f}"
    )
    if tested:
        driven = [episode for r in runs for episode in r.test]
        line += f"; {sum(e.laps for e in driven)} laps of {len(driven)}"
    rows = []
    for r in runs:
        cells = score_cells(summarise(r.test)) if r.test else ["–", "–", "–"]
        rows.append([str(r.seed), f"{r.validation:.1f}", *cells])
    head = ["seed", "best validation", "test mean", "95 % interval over tracks", "laps"]
    return f"# {agent}, {name}\n\n{line}.\n\n{table(head, rows)}\n"


def _picture(agent: str, runs: Sequence[SeedRun]) -> bytes:
    return as_png(draw_runs({agent: [read_curve(r.folder) for r in runs]}))
