"""Which tracks are for training, for choosing a checkpoint, and for the reported numbers.

A track is the seed of `reset`. The three ranges cannot meet, so a number measured on the test tracks was
measured on roads that neither the gradient nor the choice of a checkpoint has seen.
"""

from __future__ import annotations

import numpy as np

TEST = range(0, 10_000)
VALIDATION = range(10_000, 20_000)
TRAINING = range(1_000_000, 2**31 - 1)

MOST = 10_000  # tracks of one evaluation
NAMED = {"test": TEST, "validation": VALIDATION}


def parse_tracks(text: str, episodes: int) -> list[int]:
    """Turn `test`, `validation` or `FIRST:LAST` (LAST excluded) into track seeds.

    Args:
        text: A name of a set, of which the first `episodes` tracks are taken, or a range of reset seeds.
        episodes: How many tracks of a named set to take.

    Returns:
        Track seeds, ascending.

    Raises:
        ValueError: If the text names no tracks, or `episodes` is not in the set.
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
    """A training track, uniform over the training range."""
    return int(rng.integers(TRAINING.start, TRAINING.stop))
