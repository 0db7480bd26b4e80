"""The curves and films that TensorBoard and the trackers show, under the same names."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from racing.episode import END_REASONS, Episode

FILM_SCALE = 4  # pixels of a film per pixel that the network sees
FILM_MILLISECONDS = 60  # that each of its images is shown


def episode_curves(episode: Episode, shaped_return: float, lap_share: float) -> dict[str, float]:
    """Return the curves of a training episode, by tag.

    Args:
        episode: The episode.
        shaped_return: Sum of its shaped rewards.
        lap_share: Share of laps in recent episodes, because single zeros and ones would make no useful curve.
    """
    curves = {
        "training/score": episode.score,
        "training/shaped_return": shaped_return,
        "training/frames": episode.frames,
        "training/laps": lap_share,
        "training/tiles_missing": episode.track_tiles - episode.tiles,
    }
    return curves | {f"training/end_{r}": float(episode.end_reason == r) for r in END_REASONS}


def validation_curves(row: Mapping[str, Any], best_before: float) -> dict[str, float]:
    """Return the curves of a row of validation.csv, given the best mean before it."""
    return {
        "driving/score": row["mean"],
        "driving/laps": row["laps"] / row["episodes"],
        "driving/best_score": max(row["mean"], best_before),
    }


def tested_curves(episodes: Sequence[Episode]) -> dict[str, float]:
    """Return the curves of the test."""
    return {
        "driving/test_score": float(np.mean([e.score for e in episodes])),
        "driving/test_laps": sum(e.laps for e in episodes) / len(episodes),
    }


def as_gif(images: NDArray[np.uint8]) -> bytes:
    """Encode grey images, uint8 [n, H, W], as a film that any browser plays."""
    large = images.repeat(FILM_SCALE, axis=1).repeat(FILM_SCALE, axis=2)
    first, *others = [Image.fromarray(image) for image in large]
    gif = io.BytesIO()
    first.save(gif, "gif", save_all=True, append_images=others, duration=FILM_MILLISECONDS, loop=0)
    return gif.getvalue()
