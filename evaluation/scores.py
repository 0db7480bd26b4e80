"""Reads and writes episodes as CSV, from which all reported scores are computed."""

from __future__ import annotations

import csv
from dataclasses import astuple, fields
from pathlib import Path

from racing.episode import Episode, possible
from system.csv_files import as_csv
from system.files import write_whole


def write_episodes(path: Path, episodes: list[Episode]) -> None:
    """Write a CSV with one row per episode, replacing an existing file atomically."""
    head, rows = (f.name for f in fields(Episode)), (astuple(episode) for episode in episodes)
    write_whole(path, as_csv(head, rows))


def read_episodes(path: Path) -> list[Episode]:
    """Read what `write_episodes` wrote.

    Raises:
        ValueError: If the file has other columns, no rows, a track twice, or an impossible row.
    """
    names = [f.name for f in fields(Episode)]
    try:
        with path.open(newline="") as file:
            rows = list(csv.reader(file))
    except (csv.Error, UnicodeDecodeError) as e:
        raise ValueError(f"{path}: not a CSV ({e})") from None
    if not rows or rows[0] != names:
        raise ValueError(f"{path}: the columns must be {','.join(names)}")
    if len(rows) == 1:
        raise ValueError(f"{path}: no episodes")
    episodes = [_parse(path, number, row) for number, row in enumerate(rows[1:], start=2)]
    if len({e.track for e in episodes}) < len(episodes):
        raise ValueError(f"{path}: a track is listed twice")
    return episodes


def _parse(path: Path, line: int, row: list[str]) -> Episode:
    try:
        track, score, frames, tiles, track_tiles, laps, reason = row
        episode = Episode(
            int(track), float(score), int(frames), int(tiles), int(track_tiles), int(laps), reason
        )
    except ValueError:
        raise ValueError(f"{path}:{line}: not an episode: {','.join(row)!r}") from None
    if not possible(episode):
        raise ValueError(f"{path}:{line}: an impossible episode: {','.join(row)!r}")
    return episode
