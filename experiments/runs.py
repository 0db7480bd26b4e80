"""Trains the runs of trials, one per seed; their fixed names let the same command line resume them."""

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
    """How and where runs are trained.

    Attributes:
        script: The script that trains them.
        runs: Folder that contains all runs.
        logs: Folder of their log files.
        at_once: The largest number of runs at a time.
        gpus: GPUs to learn on; None if the settings decide.
        stop: Checked between and during runs.
        cluster: Address of the Ray cluster that trains them; empty for this machine.
    """

    script: Script
    runs: Path
    logs: Path
    at_once: int
    gpus: Gpus | None
    stop: Stop
    cluster: str = ""

    def folder(self, name: str) -> RunFolder:
        """Return the folder of the run of this name."""
        return RunFolder(self.runs / self.script.agent / name)


def is_done(run: RunFolder, settings: RunSettings) -> bool:
    """Return whether a run has reached the length in these settings, including the test if they ask for one."""
    with contextlib.suppress(RunError, TypeError):
        length = run.config().get("decisions", 0)
        if length > settings.decisions:
            return True  # it was continued beyond that
        if settings.test_episodes:
            return length == settings.decisions and run.is_finished()
        # It may have ended early because of --until-score or --patience.
        return length == settings.decisions and read_status(run).get("state") == "finished"
    return False


def make(
    place: Place, wanted: dict[str, RunSettings], ended: Callable[[Done], str]
) -> dict[str, Done]:
    """Start or resume the runs that are not done yet.

    Args:
        place: How and where to train.
        wanted: Settings by name of the run.
        ended: Called when a run has ended; returns the text that is printed about it.

    Returns:
        Results by name of the run, without the runs that were already done.

    Raises:
        StoppedError: If a stop was requested.
        OSError: If a log cannot be written or a process cannot be started.
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
    """Return the score of a run: its best validation mean within the length of these settings, or its test mean.

    Raises:
        ValueError: If a file of the run is damaged.
        OSError: If a file is missing.
    """
    if metric == "test":
        return float(np.mean([e.score for e in read_episodes(run.path / TESTS)]))
    tick = settings.cars * settings.steps_per_tick
    length = -(-settings.decisions // tick) * tick  # the last tick may exceed `decisions`
    points = read_points(run.path / VALIDATIONS)
    return float(points[points[:, 1] <= length, 3].max())


def names(stem: str, settings: RunSettings, seeds: Sequence[int]) -> dict[str, RunSettings]:
    """Return the settings of a trial's runs, one per seed, by their names STEM-seedN."""
    return {f"{stem}-seed{seed}": changed(settings, seed=seed) for seed in seeds}
