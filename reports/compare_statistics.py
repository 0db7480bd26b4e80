"""How sure a comparison of groups of runs is: bootstrap over seeds and tracks, and permutations.

A group's scores are a matrix: a run per row, a track per column. Two runs of the same settings differ by more than two
drives of the same weights do, so as far as a group has several seeds, seeds are drawn as well as tracks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import NDArray

from evaluation.evaluation import BOOTSTRAP_DRAWS

Scores = NDArray[np.float64]
LEVEL = 0.05
EXACT = 20_000  # permutations at most that are all gone through; of more, as many are drawn


@dataclass(frozen=True)
class Difference:
    """How much higher one group scores than another.

    Attributes:
        mean: One's mean minus the other's.
        low: Lower end of its 95 % bootstrap interval; NaN if there is nothing to draw from.
        high: Upper end.
        p: Of a two-sided permutation test; NaN if it could not tell.
        over: What was drawn and permuted: `seeds and tracks`, `tracks` or `seeds`.
    """

    mean: float
    low: float
    high: float
    p: float
    over: str

    @property
    def is_noise(self) -> bool:
        """Whether it may well be none."""
        return not (self.low > 0 or self.high < 0) or not self.p < LEVEL


def mean_interval(runs: Sequence[Scores]) -> tuple[float, float]:
    """The 95 % interval of the mean over runs of their mean scores: runs are drawn, and in each its episodes.

    Args:
        runs: Scores of every run, float64 [its episodes].
    """
    rng, count = np.random.default_rng(0), len(runs)
    which = rng.integers(count, size=(BOOTSTRAP_DRAWS, count))
    means = np.empty(which.shape)
    for run, scores in enumerate(runs):
        drawn = which == run
        episodes = rng.integers(len(scores), size=(int(drawn.sum()), len(scores)))
        means[drawn] = scores[episodes].mean(axis=1)
    low, high = np.percentile(means.mean(axis=1), [2.5, 97.5])
    return float(low), float(high)


def difference(one: Scores, other: Scores) -> Difference:
    """Compare two groups on tracks that all of their runs drove.

    The tracks are paired: what is drawn for one group is drawn for the other. Where both groups have enough runs for
    it, the p-value is of permutations of the runs among the groups; else of signs of the tracks' differences.

    Args:
        one: Scores, float64 [runs, tracks].
        other: Scores of the other group on the same tracks, float64 [runs of it, tracks].
    """
    rng = np.random.default_rng(0)
    tracks = one.shape[1]
    gain = _drawn_rows(one, rng) - _drawn_rows(other, rng)  # [draws, tracks]
    weights = _counts(tracks, rng) / tracks
    low, high = np.percentile((gain * weights).sum(axis=1), [2.5, 97.5])
    by_seeds = enough(len(one), len(other))
    if by_seeds:
        p = permute_runs(one.mean(axis=1), other.mean(axis=1))
    else:
        p = flip_signs(one.mean(axis=0) - other.mean(axis=0))
    mean = float(one.mean() - other.mean())
    return Difference(
        mean, float(low), float(high), p, "seeds and tracks" if by_seeds else "tracks"
    )


def difference_of_means(one: Scores, other: Scores) -> Difference:
    """Compare two groups of which only one score per run is known, float64 [runs] and [runs of the other]."""
    mean = float(one.mean() - other.mean())
    if not enough(len(one), len(other)):
        return Difference(mean, np.nan, np.nan, np.nan, "seeds")
    rng = np.random.default_rng(0)
    gains = _drawn_rows(one[:, None], rng) - _drawn_rows(other[:, None], rng)
    low, high = np.percentile(gains, [2.5, 97.5])
    return Difference(mean, float(low), float(high), permute_runs(one, other), "seeds")


def enough(one: int, other: int) -> bool:
    """Whether so many runs can be told apart at all: the smallest p-value of their permutations is below the level."""
    both_ways = 2 if one == other else 1
    return min(one, other) > 1 and both_ways / comb(one + other, one) < LEVEL


def permute_runs(one: Scores, other: Scores) -> float:
    """Two-sided p-value of the difference of two means if runs were in either group by chance."""
    both, count = np.concatenate([one, other]), len(one)
    if comb(len(both), count) <= EXACT:
        chosen = np.array(list(combinations(range(len(both)), count)))
    else:
        rng = np.random.default_rng(0)
        order = rng.permuted(np.tile(np.arange(len(both)), (EXACT - 1, 1)), axis=1)
        chosen = np.concatenate([np.arange(count)[None], order[:, :count]])
    sums = both[chosen].sum(axis=1)  # [permutations]
    gains = sums / count - (both.sum() - sums) / len(other)
    return _share_as_far(gains, one.mean() - other.mean())


def flip_signs(gains: Scores) -> float:
    """Two-sided p-value of the mean of paired differences, float64 [pairs], if each could as well be its opposite."""
    if len(gains) <= 14:
        bits = np.arange(2 ** len(gains))[:, None] >> np.arange(len(gains)) & 1
        signs = 1.0 - 2.0 * bits
    else:
        signs = np.random.default_rng(0).choice([-1.0, 1.0], size=(EXACT, len(gains)))
        signs[0] = 1.0
    return _share_as_far((signs * gains).mean(axis=1), gains.mean())


def _share_as_far(gains: Scores, observed: float) -> float:
    """Share of permutations that differ as much; rounding makes no two equal ones unequal."""
    return float((np.abs(gains) >= abs(observed) * (1 - 1e-9) - 1e-12).mean())


def _drawn_rows(scores: Scores, rng: np.random.Generator) -> Scores:
    """Means over drawn rows, float64 [draws, columns]."""
    drawn: Scores = _counts(len(scores), rng) @ scores / len(scores)
    return drawn


def _counts(size: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """How often each of so many things is drawn when so many are, int64 [draws, size]."""
    return rng.multinomial(size, np.full(size, 1 / size), size=BOOTSTRAP_DRAWS)
