"""Learning curves of the finished runs that `runs.py record` has kept, and their mean over seeds."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.evaluation import BOOTSTRAP_DRAWS
from evaluation.scores import read_episodes
from racing.episode import Episode
from system.csv_files import read_csv
from system.times import parse
from training.runs.run_folder import EPISODES, FREE_ON_RESUME, ORIGIN, TESTS, VALIDATIONS, RunFolder

GRID = 200  # points of a band
BINS = 40  # parts of a run, over each of which training episodes are averaged
FREE = FREE_ON_RESUME - {"decisions"} | {"seed"}  # settings that may differ within a curve
_FOLDER = re.compile(r"(?P<agent>[a-z0-9]+)(?:-(?P<label>[a-z0-9]+))?-seed(?P<seed>[0-9]+)")


@dataclass(frozen=True)
class Curve:
    """The learning curve of a finished run.

    Attributes:
        agent: The script that trained it.
        label: Empty for the default settings; otherwise a label, and the run is shown separately.
        seed: Its seed.
        points: Validations: minutes, decisions, updates, mean score, float64 [n, 4].
        training: Mean scores of the training episodes in each part of the run, including exploration; the same columns,
            float64 [at most BINS, 4].
        test: Episodes of its best weights on the test tracks.
        config: Its settings.
        minutes: Time from its start to the end of its test; infinite if not recorded, or if the run was resumed.
    """

    agent: str
    label: str
    seed: int
    points: NDArray[np.float64]
    training: NDArray[np.float64]
    test: list[Episode]
    config: dict[str, Any]
    minutes: float

    @property
    def name(self) -> str:
        """Name of the curve in tables."""
        return f"{self.agent.upper()} {self.label}".rstrip()


def folder_name(agent: str, label: str, seed: int) -> str:
    """Return the name of a run's folder in results/runs/.

    Raises:
        ValueError: If the label has other characters than lower-case letters and digits.
    """
    name = f"{agent.lower()}-{label}-seed{seed}" if label else f"{agent.lower()}-seed{seed}"
    if not _FOLDER.fullmatch(name):
        raise ValueError(f"a label is lower-case letters and digits, got {label!r}")
    return name


def read_runs(folders: dict[str, Path]) -> list[Curve]:
    """Read runs, sorted by agent, label and seed.

    Args:
        folders: The folders of the runs, by the name that `folder_name` returned.

    Raises:
        ValueError: If a file is damaged, or runs with the same agent and label have different settings.
        OSError: If a file is missing.
    """
    curves = [_read_run(name, folder) for name, folder in folders.items()]
    curves.sort(key=lambda c: (c.agent, c.label, c.seed))
    for curve in curves:
        _check_same_settings(next(c for c in curves if c.name == curve.name), curve)
    return curves


def _read_run(name: str, folder: Path) -> Curve:
    named = _FOLDER.fullmatch(name)
    if named is None:
        raise ValueError(f"{folder}: not a name that runs.py record gives")
    run = RunFolder(folder)
    points, training = read_curve(run)
    return Curve(
        agent=named["agent"],
        label=named["label"] or "",
        seed=int(named["seed"]),
        points=points,
        training=training,
        test=read_episodes(folder / TESTS),
        config=run.config(),
        minutes=wall_minutes(json.loads((folder / ORIGIN).read_text())),
    )


def wall_minutes(origin: dict[str, Any]) -> float:
    """Return the minutes from a run's start to the end of its test; infinite if it was resumed or has not finished.

    Raises:
        ValueError: If a time is invalid.
    """
    if "finished" not in origin or "resumed" in origin:
        return np.inf
    started, finished = (parse(origin.get(k)) for k in ("started", "finished"))
    return (finished - started).total_seconds() / 60


def _check_same_settings(first: Curve, curve: Curve) -> None:
    names = sorted((first.config.keys() | curve.config.keys()) - FREE)
    for key in names:
        ours, theirs = curve.config.get(key), first.config.get(key)
        if ours != theirs:
            raise ValueError(
                f"seeds {first.seed} and {curve.seed} of {first.name} do not belong to one curve:"
                f" {key} is {theirs!r} and {ours!r}; record one of them with a --label"
            )


def read_points(path: Path) -> NDArray[np.float64]:
    """Read minutes, decisions, updates and mean score of every validation, float64 [n, 4].

    Args:
        path: A run's validation.csv, or the peer's curve, which has minutes instead of seconds.

    Raises:
        ValueError: If a column is missing, a cell is not a number, or there is no row.
    """
    rows = _rows(path)
    clock, per_minute = ("minutes", 1) if rows and "minutes" in rows[0] else ("seconds", 60)
    points = _columns(path, rows, clock, "decisions", "updates", "mean")
    points[:, 0] /= per_minute
    return points


def read_training(
    path: Path, points: NDArray[np.float64], learning_starts: int
) -> NDArray[np.float64]:
    """Read minutes, decisions, updates and mean score of the training episodes in every part of a run.

    Minutes and updates are only recorded at validations; in between they are interpolated linearly over the decisions.

    Args:
        path: A run's episodes.csv.
        points: Its validations.
        learning_starts: Decisions at its first update.

    Returns:
        One row per part with episodes, float64 [n, 4]; n is 0 if no episode has ended yet.

    Raises:
        ValueError: If a column is missing or a cell is not a number.
    """
    if path.read_bytes().count(b"\n") == 1:  # only the header
        return np.empty((0, 4))
    episodes = read_columns(path, "decisions", "score")
    edges = np.linspace(0, points[-1, 1], BINS + 1)
    parts = np.digitize(episodes[:, 0], edges, right=True)  # [n]
    seen = np.unique(parts[(parts > 0) & (parts <= BINS)])
    decisions = (edges[seen - 1] + edges[seen]) / 2
    minutes = np.interp(decisions, [0, *points[:, 1]], [0, *points[:, 0]])
    updates = np.interp(decisions, [0, learning_starts, *points[:, 1]], [0, 0, *points[:, 2]])
    means = [episodes[parts == part, 1].mean() for part in seen]
    return np.stack([minutes, decisions, updates, means], axis=1)


def read_curve(run: RunFolder) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Read the validations and training episodes of a run, as returned by `read_points` and `read_training`.

    Raises:
        ValueError: If a file is damaged.
        KeyError: If its settings are those of another version.
        OSError: If a file is missing.
    """
    starts, points = run.config()["learning_starts"], read_points(run.path / VALIDATIONS)
    return points, read_training(run.path / EPISODES, points, starts)


def read_columns(path: Path, *names: str) -> NDArray[np.float64]:
    """Read some columns of a CSV, float64 [n, columns].

    Raises:
        ValueError: If a column is missing, a cell is not a number, or there is no row.
    """
    return _columns(path, _rows(path), *names)


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        return read_csv(path)
    except (csv.Error, UnicodeDecodeError) as e:
        raise ValueError(f"{path}: not a CSV ({e})") from None


def _columns(path: Path, rows: list[dict[str, str]], *names: str) -> NDArray[np.float64]:
    try:
        table = [[float(row[name]) for name in names] for row in rows]
    except (KeyError, TypeError, ValueError) as e:
        raise ValueError(f"{path}: not a learning curve ({e})") from None
    if not table:
        raise ValueError(f"{path}: no rows")
    if not np.isfinite(table).all():
        raise ValueError(f"{path}: not a learning curve (NaN or infinity)")
    return np.array(table)


def read_peer(results: Path) -> NDArray[np.float64] | None:
    """Read the curve of the peer (Stable-Baselines3), as `read_points` does; None if there is none."""
    path = results / "peer_sb3.csv"
    return read_points(path) if path.exists() else None


def minutes_to(points: NDArray[np.float64], score: float) -> float:
    """Return the minutes until a validation first reached a score; infinite if none did."""
    reached = np.flatnonzero(points[:, 3] >= score)
    return float(points[reached[0], 0]) if len(reached) else np.inf


def best_within(points: NDArray[np.float64], minutes: float) -> float:
    """Return the best validation mean within the given minutes; minus infinity if there was no validation."""
    return float(points[points[:, 0] <= minutes, 3].max(initial=-np.inf))


@dataclass(frozen=True)
class Band:
    """The mean over seeds and its bootstrap interval, at common positions x; each float64 [n]."""

    x: NDArray[np.float64]
    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def band(curves: list[tuple[NDArray[np.float64], NDArray[np.float64]]]) -> Band:
    """Compute the mean of several curves (x, score) over their common range, with its 95 % bootstrap interval.

    Curves are interpolated linearly.
    """
    first, last = max(x[0] for x, _ in curves), min(x[-1] for x, _ in curves)
    at = np.linspace(first, last, GRID)
    scores = np.stack([np.interp(at, x, score) for x, score in curves])  # [seeds, GRID]
    rng = np.random.default_rng(0)
    drawn = rng.integers(len(curves), size=(BOOTSTRAP_DRAWS, len(curves)))
    counts = np.stack([(drawn == i).sum(axis=1) for i in range(len(curves))], axis=1)
    means = counts @ scores / len(curves)  # [draws, GRID]
    low, high = np.percentile(means, [2.5, 97.5], axis=0)
    return Band(at, scores.mean(axis=0), low, high)
