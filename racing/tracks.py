"""The sets of tracks for training, for choosing weights (validation), and for reported scores (test).

A track is the seed of `reset`. The three ranges do not overlap, so neither training nor the choice of weights has
seen the tracks that scores are reported on.
"""

from __future__ import annotations

import numpy as np

TEST = range(0, 10_000)
VALIDATION = range(10_000, 20_000)
TRAINING = range(1_000_000, 2**31 - 1)

MOST = 10_000  # tracks in one evaluation
NAMED = {"test": TEST, "validation": VALIDATION}


def parse_tracks(text: str, episodes: int) -> list[int]:
    """Parse `test`, `validation` or `FIRST:LAST` (LAST excluded) into track seeds.

    Args:
        text: The name of a set, of which the first `episodes` tracks are taken, or a range of reset seeds.
        episodes: Number of tracks to take from a named set.

    Returns:
        Track seeds, ascending.

    Raises:
        ValueError: If the text is neither of these, or a named set has fewer than `episodes` tracks.
    """
    if text in NAMED:
        if not 1 <= episodes <= len(NAMED[text]):
            raise ValueError(f"episodes must be 1 to {len(NAMED[text])}, got {episodes}")
        return list(NAMED[text][:episodes])
    first, colon, last = text.partition(":")
    if not colon or not first.isdecimal() or not last.isdecimal() or int(first) >= int(last):
        raise ValueError(
            f"tracks must be 'test', 'validation' or FIRST:LAST with FIRST < LAST, got {text!r}"
        )
    if int(last) > 2**31:
        raise ValueError(f"a track seed is below {2**31}, got {last}")
    if int(last) - int(first) > MOST:
        raise ValueError(f"at most {MOST} tracks at a time, got {text!r}")
    return list(range(int(first), int(last)))


def draw_training_track(rng: np.random.Generator) -> int:
    """Draw a training track, uniformly from the training range."""
    return int(rng.integers(TRAINING.start, TRAINING.stop))
