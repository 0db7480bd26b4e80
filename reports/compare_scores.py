"""Scores of groups of runs, and whether one group is better than another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reports.compare_groups import Compared, Group
from reports.compare_statistics import Difference, difference, difference_of_means, mean_interval


@dataclass(frozen=True)
class Score:
    """Scores of a group.

    Attributes:
        group: Title of the group.
        runs: Number of runs.
        seeds: Number of different seeds.
        mean: Mean over the runs of their mean scores.
        low: Lower end of the 95 % bootstrap interval over seeds and episodes; NaN if there is too little data.
        high: Upper end of this interval.
        worst: Lowest mean score of a run.
        worst_seed: Seed of that run.
        laps: Number of episodes with a complete lap; None without a test.
        episodes: Number of episodes; 0 without a test.
    """

    group: str
    runs: int
    seeds: int
    mean: float
    low: float
    high: float
    worst: float
    worst_seed: int
    laps: int | None
    episodes: int


@dataclass(frozen=True)
class Pair:
    """Two groups, and the difference of their scores; None if no track was driven by all their runs."""

    one: str
    other: str
    tracks: int
    difference: Difference | None
    verdict: str


def _test_scores(c: Compared, tracks: Sequence[int] | None = None) -> NDArray[np.float64]:
    by_track = {e.track: e.score for e in c.test}
    return np.array([by_track[t] for t in (tracks or by_track)])


def score_of(group: Group, tested: bool) -> Score:
    """Compute the scores of a group, from its tests or from the best validation of each run."""
    runs = group.runs
    scores = [_test_scores(c) if tested else np.array([c.best]) for c in runs]
    means = [float(s.mean()) for s in scores]
    worst = int(np.argmin(means))
    alone = len(runs) == 1 and not tested
    low, high = (np.nan, np.nan) if alone else mean_interval(scores)
    return Score(
        group=group.title,
        runs=len(runs),
        seeds=len({c.seed for c in runs}),
        mean=float(np.mean(means)),
        low=low,
        high=high,
        worst=means[worst],
        worst_seed=runs[worst].seed,
        laps=sum(e.laps for c in runs for e in c.test) if tested else None,
        episodes=sum(len(c.test) for c in runs) if tested else 0,
    )


def pair_of(one: Group, other: Group, tested: bool) -> Pair:
    """Compare two groups, on the test tracks that all their runs drove or by the best validation of each run."""
    if not tested:
        found = difference_of_means(*(np.array([c.best for c in g.runs]) for g in (one, other)))
        return Pair(one.title, other.title, 0, found, verdict(one.title, other.title, found))
    driven = [{e.track for e in c.test} for group in (one, other) for c in group.runs]
    tracks = sorted(set.intersection(*driven))
    if not tracks:
        return Pair(one.title, other.title, 0, None, "they drove no common track")
    rows = [np.stack([_test_scores(c, tracks) for c in g.runs]) for g in (one, other)]
    found = difference(*rows)
    return Pair(one.title, other.title, len(tracks), found, verdict(one.title, other.title, found))


def verdict(one: str, other: str, d: Difference) -> str:
    """Describe a difference in words."""
    if np.isnan(d.p):
        return f"{abs(d.mean):.1f} apart; too few runs to tell it from noise"
    if d.is_noise:
        return f"noise: {one} {d.mean:+.1f} {interval(d.low, d.high)}"
    better, (low, high) = (one, (d.low, d.high)) if d.mean > 0 else (other, (-d.high, -d.low))
    words = f"{better} is better by {abs(d.mean):.1f} {interval(low, high)}"
    if d.over == "tracks":
        words += (
            "; this holds for these runs only: too few seeds for a statement about their settings"
        )
    return words


def interval(low: float, high: float) -> str:
    """Format an interval; a dash for NaN."""
    return "–" if np.isnan(low) else f"[{low:.1f}, {high:.1f}]"
