"""One trial's runs, one per seed: named by what they are, so that the same command line goes on with them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from evaluation.scores import read_episodes
from experiments.gpus import Gpus
from experiments.jobs import Done, Job, run_jobs, workers_each
from experiments.on_ray import words_on_ray
from experiments.scripts import Script, words
from reports.curves import read_points
from reports.run_list import read_status
from training.runs.names import RunError
from training.runs.run_folder import TESTS, VALIDATIONS, RunFolder
from training.settings import RunSettings, changed
from training.stop import Stop

Metric = Literal["validation", "test"]


@dataclass(frozen=True)
class Place:
    """Where runs are made.

    Attributes:
        script: Makes them.
        runs: Folder of all runs.
        logs: Folder of the processes' output.
        at_once: At most so many at a time.
        gpus: Where they learn, if that was said.
        stop: Asked between runs, and while they run.
        cluster: Address of a Ray cluster whose nodes make them; here if empty.
    """

    script: Script
    runs: Path
    logs: Path
    at_once: int
    gpus: Gpus | None
    stop: Stop
    cluster: str = ""

    def folder(self, name: str) -> RunFolder:
        """Of a run."""
        return RunFolder(self.runs / self.script.agent / name)


def is_done(run: RunFolder, settings: RunSettings) -> bool:
    """Whether a run was made as far as these settings say, with its test drive if they want one."""
    with contextlib.suppress(RunError, TypeError):
        length = run.config().get("decisions", 0)
        if length > settings.decisions:
            return True  # it went on from there
        if settings.test_episodes:
            return length == settings.decisions and run.is_finished()
        # It may have ended sooner: at a score, or for want of patience.
        return length == settings.decisions and read_status(run).get("state") == "finished"
    return False


def make(
    place: Place, wanted: dict[str, RunSettings], ended: Callable[[Done], str]
) -> dict[str, Done]:
    """Make runs that are not done yet, or go on with them.

    Args:
        place: Where.
        wanted: Settings by the name of the run.
        ended: Called when one has ended; what is printed of it.

    Returns:
        How they ended, by name; those that had been done before are not in it.

    Raises:
        StoppedError: If a stop was asked for.
        OSError: If a log cannot be written or no process be started.
    """
    todo = {name: s for name, s in wanted.items() if not is_done(place.folder(name), s)}
    at_once = min(place.at_once, max(len(todo), 1))
    jobs = [
        Job(
            name,
            _words(place, name, settings, at_once),
            place.logs / f"{name}.log",
            place.folder(name),
        )
        for name, settings in todo.items()
    ]
    done = run_jobs(jobs, at_once, place.stop, gpus=place.gpus, ended=ended) if jobs else []
    return {one.job.name: one for one in done}


def _words(place: Place, name: str, settings: RunSettings, at_once: int) -> tuple[str, ...]:
    line = words(settings, place.script.presets[settings.preset])
    line += ["--seed", str(settings.seed), "--runs", str(place.runs)]
    line += ["--name", name, "--resume", "auto"]
    script = str(place.script.path)
    if place.cluster:
        return words_on_ray(place.cluster, settings, place.runs, (script, *line))
    return (script, *line, *(workers_each(at_once) if settings.workers == "auto" else ()))


def score(run: RunFolder, metric: Metric, settings: RunSettings) -> float:
    """Of a run: the best mean on validation tracks as far as these settings go, or the mean on the test tracks.

    Raises:
        ValueError: If a file is not one that a run writes.
        OSError: If one is missing.
    """
    if metric == "test":
        return float(np.mean([e.score for e in read_episodes(run.path / TESTS)]))
    tick = settings.cars * settings.steps_per_tick
    length = -(-settings.decisions // tick) * tick  # the last tick goes beyond
    points = read_points(run.path / VALIDATIONS)
    return float(points[points[:, 1] <= length, 3].max())


def names(stem: str, settings: RunSettings, seeds: Sequence[int]) -> dict[str, RunSettings]:
    """The runs of one trial: settings by name."""
    return {f"{stem}-seed{seed}": changed(settings, seed=seed) for seed in seeds}
