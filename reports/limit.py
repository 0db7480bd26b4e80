"""How close a driver is to the limit, from results/limit.csv.

The share of the limit is (1000 - bound) / (1000 - score), for means over the same tracks: the points that even the best
possible lap loses, divided by the points that the driver loses. A lap of T frames scores 1000 - 0.1 T, so for laps this
is the ratio of their frames; points lost for missed tiles or crashes count as the equivalent number of frames. The
ratio of the scores would say nothing: every clean lap, however slow, has more than 96 % of the bound's score.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evaluation.scores import read_episodes
from racing.episode import Episode

COLUMNS = (
    "track",
    "tiles",
    "bound_frames",
    "bound_score",
    "oracle_frames",
    "oracle_score",
    "oracle_laps",
    "practice",
)
FULL_SCORE = 1000.0  # of a lap that takes no time


@dataclass(frozen=True)
class Limit:
    """Means over tracks.

    Attributes:
        tracks: Number of tracks.
        bound: Upper bound of the score of any lap.
        oracle: Score that the oracle has driven.
        oracle_laps: Number of tracks on which the oracle completed a lap.
        bound_frames: Frames of the bound.
        oracle_frames: Frames of the oracle.
    """

    tracks: int
    bound: float
    oracle: float
    oracle_laps: int
    bound_frames: float
    oracle_frames: float


def read_limit(path: Path) -> list[dict[str, str]]:
    """Read the rows of results/limit.csv.

    Raises:
        ValueError: If it is not a file that `benchmarks.limit.limit` writes.
    """
    with path.open(newline="") as file:
        reader = csv.DictReader(file)
        rows = list(reader)
    if tuple(reader.fieldnames or ()) != COLUMNS or not rows:
        raise ValueError(f"{path}: the columns must be {','.join(COLUMNS)}, with a row or more")
    for number, row in enumerate(rows, start=2):
        try:
            numbers = [float(row[name]) for name in COLUMNS]
        except (TypeError, ValueError):
            raise ValueError(f"{path}:{number}: not numbers: {row}") from None
        if not np.isfinite(numbers).all() or float(row["oracle_frames"]) < 1:
            raise ValueError(f"{path}:{number}: impossible numbers: {row}")
    if len({row["track"] for row in rows}) < len(rows):
        raise ValueError(f"{path}: a track is listed twice")
    return rows


def limit_on(rows: list[dict[str, str]], tracks: Sequence[int]) -> Limit | None:
    """Return means over exactly these tracks; None unless all of them were measured."""
    by_track = {int(row["track"]): row for row in rows}
    if not tracks or not set(tracks) <= set(by_track):
        return None
    chosen = [by_track[t] for t in tracks]

    def mean(name: str) -> float:
        return float(np.mean([float(row[name]) for row in chosen]))

    return Limit(
        tracks=len(chosen),
        bound=mean("bound_score"),
        oracle=mean("oracle_score"),
        oracle_laps=sum(int(row["oracle_laps"]) for row in chosen),
        bound_frames=mean("bound_frames"),
        oracle_frames=mean("oracle_frames"),
    )


def share_of_limit(rows: list[dict[str, str]], episodes: list[Episode]) -> float | None:
    """Return the share of the limit of their own tracks that episodes reach, 0 to 1; None unless all were measured."""
    limit = limit_on(rows, [e.track for e in episodes])
    if limit is None:
        return None
    return _share(limit, float(np.mean([e.score for e in episodes])))


def _share(limit: Limit, score: float) -> float:
    return (FULL_SCORE - limit.bound) / (FULL_SCORE - score)


def limit_table(rows: list[dict[str, str]], scores: Path) -> str:
    """Make a table of the bound, the oracle, and every driver with episodes on measured tracks, in Markdown."""
    lines = [
        "| tracks | who | mean score | mean frames | laps | share of the limit |",
        "|---|---|---|---|---|---|",
    ]
    for first, last in _ranges([int(row["track"]) for row in rows]):
        tracks = list(range(first, last))
        limit = limit_on(rows, tracks)
        assert limit is not None
        name = f"{first}:{last}"
        lines += [
            f"| {name} | bound | **{limit.bound:.1f}** | {limit.bound_frames:.0f} | | 100 % |",
            f"| {name} | oracle | **{limit.oracle:.1f}** | {limit.oracle_frames:.0f} |"
            f" {limit.oracle_laps}/{limit.tracks} | {100 * _share(limit, limit.oracle):.1f} % |",
        ]
        for path in sorted(scores.glob("*.csv")):
            driven = [e for e in read_episodes(path) if e.track in set(tracks)]
            share = share_of_limit(rows, driven)
            if share is not None and len(driven) == len(tracks):
                score = np.mean([e.score for e in driven])
                frames, laps = np.mean([e.frames for e in driven]), sum(e.laps for e in driven)
                lines.append(
                    f"| {name} | {path.stem} | {score:.1f} | {frames:.0f} | {laps}/{len(driven)} |"
                    f" {100 * share:.1f} % |"
                )
    gaps = [float(row["oracle_score"]) - float(row["bound_score"]) for row in rows]
    completed = sum(int(row["oracle_laps"]) for row in rows)
    above = sum(float(row["oracle_score"]) >= 940 for row in rows)
    lines += [
        "",
        f"Over all {len(rows)} tracks the two enclose the best possible mean between"
        f" {np.mean([float(r['oracle_score']) for r in rows]):.1f} and"
        f" {np.mean([float(r['bound_score']) for r in rows]):.1f} points. The oracle completes {completed} laps and"
        f" scores 940 or more on {above}; it stays {-max(gaps):.1f} to {-min(gaps):.1f} points below the bound"
        f" ({-np.median(gaps):.1f} in the middle).",
    ]
    return "\n".join(lines)


def _ranges(tracks: list[int]) -> list[tuple[int, int]]:
    """Return ranges of consecutive tracks, as (first, last + 1)."""
    ranges: list[tuple[int, int]] = []
    for track in sorted(tracks):
        if ranges and ranges[-1][1] == track:
            ranges[-1] = (ranges[-1][0], track + 1)
        else:
            ranges.append((track, track + 1))
    return ranges
