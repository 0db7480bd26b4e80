"""Groups runs for a comparison: the runs of a group have the same settings, apart from those that affect no score."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from string import ascii_uppercase
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.scores import read_episodes
from racing.episode import Episode
from reports.curves import read_points, read_training
from training.runs.run_folder import BEST, EPISODES, FREE_ON_RESUME, TESTS, VALIDATIONS, RunFolder

Points = NDArray[np.float64]
# These may change on a resume, but affect the score.
LENGTH = {"decisions", "until_score", "patience"}
FREE = FREE_ON_RESUME - LENGTH | {"seed"}
NOT_OF_ORIGIN = {"started", "finished", "resumed", "tested", "agent", "command"}


@dataclass(frozen=True)
class Compared:
    """A run to compare.

    Attributes:
        run: Its folder.
        agent: The script that trained it.
        seed: Its seed.
        config: Its settings, by flat names.
        origin: The entries of its origin.json, by flat names such as `versions.numpy`.
        points: Its validations, as returned by `read_points`.
        training: Its training episodes, as returned by `read_training`; empty if they were not kept.
        test: Episodes of the best weights on the test tracks; empty if there is no test.csv.
        went_on: Whether the run was continued after its test, so that test.csv belongs to other weights.
    """

    run: RunFolder
    agent: str
    seed: int
    config: dict[str, Any]
    origin: dict[str, str]
    points: Points
    training: Points
    test: list[Episode]
    went_on: bool

    @property
    def best(self) -> float:
        """Best mean score of a validation."""
        return float(self.points[:, 3].max())

    @property
    def name(self) -> str:
        """Agent and name, such as DDQN/race."""
        return self.run.full_name


@dataclass
class Group:
    """Runs that differ only in the seed.

    Attributes:
        letter: A, B, C ...
        runs: The runs, sorted by seed.
    """

    letter: str
    runs: list[Compared] = field(default_factory=list)

    @property
    def title(self) -> str:
        """Title of the group in tables."""
        preset = self.runs[0].config.get("preset", "default")
        more = f" {preset}" if preset != "default" else ""
        return f"{self.letter} {self.runs[0].agent}{more}"


def read_groups(runs: Sequence[RunFolder]) -> list[Group]:
    """Read runs and group them, in the order in which they were given.

    If a group would contain a seed twice, its runs of different commits form separate groups.

    Raises:
        ValueError: If there are not two different runs, or a file is missing, damaged or of another version.
    """
    different = {run.path.resolve(): run for run in runs}
    if len(different) < 2:
        raise ValueError(f"name two runs or more: there is only {runs[0].path}")
    found = [_read(run) for run in different.values()]
    sets = _split(found, _settings)
    sets = [part for group in sets for part in _by_commit(group)]
    letters = [*ascii_uppercase, *(a + b for a in ascii_uppercase for b in ascii_uppercase)]
    return [
        Group(letter, sorted(runs, key=lambda c: (c.seed, c.name)))
        for letter, runs in zip(letters, sets, strict=False)
    ]


def _settings(c: Compared) -> str:
    # Settings that an older version did not have were off in its runs: 0, "" or false.
    kept = {k: v for k, v in c.config.items() if k not in FREE and v}
    return json.dumps([c.agent, kept], sort_keys=True)


def _by_commit(runs: list[Compared]) -> list[list[Compared]]:
    if len({c.seed for c in runs}) == len(runs):
        return [runs]
    return _split(runs, lambda c: c.origin.get("commit", "") + c.origin.get("uncommitted", ""))


def _split(runs: list[Compared], key: Any) -> list[list[Compared]]:
    parts: dict[str, list[Compared]] = {}
    for run in runs:
        parts.setdefault(key(run), []).append(run)
    return list(parts.values())


def _read(run: RunFolder) -> Compared:
    config, origin = run.config(), run.origin()
    seed, starts = config.get("seed"), config.get("learning_starts")
    if not isinstance(seed, int) or not isinstance(starts, int):
        name = "seed" if not isinstance(seed, int) else "learning_starts"
        raise ValueError(f"{run.path}/config.json: of another version, it has no {name!r}")
    try:
        points = read_points(run.path / VALIDATIONS)
    except FileNotFoundError:
        raise ValueError(f"{run.path}: no {VALIDATIONS}, nothing to compare yet") from None
    episodes = run.path / EPISODES
    training = read_training(episodes, points, starts) if episodes.exists() else np.empty((0, 4))
    test = run.path / TESTS
    driven = read_episodes(test) if test.exists() else []
    went_on = bool(driven) and (run.path / BEST).is_file() and not run.is_finished()
    agent = str(origin.get("agent") or run.path.parent.name)
    opened = _opened(origin)
    return Compared(run, agent, seed, config, opened, points, training, driven, went_on)


def _opened(origin: dict[str, Any]) -> dict[str, str]:
    """Flatten the entries of an origin.json that can be compared between runs."""
    flat: dict[str, str] = {}
    for name, value in origin.items():
        if isinstance(value, dict):
            flat |= {f"{name}.{k}": str(v) for k, v in value.items()}
        elif name not in NOT_OF_ORIGIN:
            flat[name] = str(value)
    return flat


def settings_that_differ(groups: Sequence[Group]) -> dict[str, list[str]]:
    """Return the settings that differ, by name: a value per group, as JSON; a dash if a group lacks the setting."""
    configs = [group.runs[0].config for group in groups]
    names = dict.fromkeys(name for config in configs for name in config if name not in FREE)
    found = {"agent": [group.runs[0].agent for group in groups]}
    for name in names:
        # As above: a missing setting is equal to one that is off.
        if len({json.dumps(config.get(name) or None) for config in configs}) > 1:
            found[name] = [json.dumps(c[name]) if name in c else "–" for c in configs]
    if len(set(found["agent"])) == 1:
        del found["agent"]
    return found


def origins_that_differ(groups: Sequence[Group]) -> dict[str, list[str]]:
    """Return the entries of origin.json that differ, by name: for every group, all values in its runs."""
    runs = [c for group in groups for c in group.runs]
    names = list(dict.fromkeys(name for c in runs for name in c.origin))
    found = {}
    for name in names:
        cells = [list(dict.fromkeys(c.origin.get(name, "–") for c in g.runs)) for g in groups]
        if len({value for cell in cells for value in cell}) > 1:
            short = 12 if name in ("commit", "uncommitted") else None
            found[name] = [", ".join(value[:short] for value in cell) for cell in cells]
    return found
