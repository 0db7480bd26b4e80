"""Statistics for comparing groups of runs: bootstrap over seeds and tracks, and permutation tests.

The scores of a group are a matrix with a row per run and a column per track. Runs with different seeds differ by more
than drives of the same weights, so the bootstrap resamples runs as well as tracks.
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
EXACT = 20_000  # up to this number, all permutations are used; otherwise this many are sampled


@dataclass(frozen=True)
class Difference:
    """How much higher one group scores than another.

    Attributes:
        mean: Mean of the first group minus mean of the second.
        low: Lower end of the 95 % bootstrap interval; NaN if there is too little data.
        high: Upper end of this interval.
        p: p-value of a two-sided permutation test; NaN if there are too few runs for one.
        over: What was resampled and permuted: `seeds and tracks`, `tracks` or `seeds`.
    """

    mean: float
    low: float
    high: float
    p: float
    over: str

    @property
    def is_noise(self) -> bool:
        """Whether the difference is not significant, by the interval or the p-value."""
        return not (self.low > 0 or self.high < 0) or not self.p < LEVEL


def mean_interval(runs: Sequence[Scores]) -> tuple[float, float]:
    """Compute the 95 % bootstrap interval of a group's mean; runs are resampled, and the episodes within each.

    Args:
        runs: Scores of every run, float64 [episodes of the run].

    Returns:
        Lower and upper end.
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
    """Compare two groups on the tracks that all their runs drove.

    The tracks are paired: the bootstrap resamples the same tracks for both groups. If both groups have enough runs, the
    p-value comes from permuting runs between the groups; otherwise from flipping the signs of the tracks' differences.

    Args:
        one: Scores of the first group, float64 [runs, tracks].
        other: Scores of the second group on the same tracks, float64 [its runs, tracks].
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
    """Compare two groups with one score per run.

    Args:
        one: Scores of the first group, float64 [runs].
        other: Scores of the second group, float64 [its runs].
    """
    mean = float(one.mean() - other.mean())
    if not enough(len(one), len(other)):
        return Difference(mean, np.nan, np.nan, np.nan, "seeds")
    rng = np.random.default_rng(0)
    gains = _drawn_rows(one[:, None], rng) - _drawn_rows(other[:, None], rng)
    low, high = np.percentile(gains, [2.5, 97.5])
    return Difference(mean, float(low), float(high), permute_runs(one, other), "seeds")


def enough(one: int, other: int) -> bool:
    """Return whether a permutation test with these numbers of runs can reach the significance level at all."""
    both_ways = 2 if one == other else 1
    return min(one, other) > 1 and both_ways / comb(one + other, one) < LEVEL


def permute_runs(one: Scores, other: Scores) -> float:
    """Compute the two-sided p-value of the difference of two means, float64 [runs] each, by permuting the runs."""
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
    """Compute the two-sided p-value of the mean of paired differences, float64 [pairs], by flipping signs."""
    if len(gains) <= 14:
        bits = np.arange(2 ** len(gains))[:, None] >> np.arange(len(gains)) & 1
        signs = 1.0 - 2.0 * bits
    else:
        signs = np.random.default_rng(0).choice([-1.0, 1.0], size=(EXACT, len(gains)))
        signs[0] = 1.0
    return _share_as_far((signs * gains).mean(axis=1), gains.mean())


def _share_as_far(gains: Scores, observed: float) -> float:
    """Return the share of permutations with at least the observed difference, with a tolerance for rounding errors."""
    return float((np.abs(gains) >= abs(observed) * (1 - 1e-9) - 1e-12).mean())


def _drawn_rows(scores: Scores, rng: np.random.Generator) -> Scores:
    """Return means over resampled rows, float64 [draws, columns]."""
    drawn: Scores = _counts(len(scores), rng) @ scores / len(scores)
    return drawn


def _counts(size: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Sample `size` out of `size` items with replacement; returns how often each was drawn, int64 [draws, size]."""
    return rng.multinomial(size, np.full(size, 1 / size), size=BOOTSTRAP_DRAWS)
