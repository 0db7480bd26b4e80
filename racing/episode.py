"""One row per episode: the record behind every number."""

from __future__ import annotations

import csv
import io
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from racing.simulator import TIME_LIMIT_FRAMES
from racing.world import EndReason, World
from system.files import write_whole

END_REASONS: tuple[EndReason, ...] = ("lap", "out", "time", "stuck")


@dataclass(frozen=True)
class Episode:
    """A finished episode.

    Attributes:
        track: Reset seed.
        score: Sum of the simulator's own rewards.
        frames: Length, 1/50 s each.
        tiles: Tiles visited.
        track_tiles: Tiles of the track.
        laps: Laps completed, 0 or 1.
        end_reason: `lap`, `out` of the playfield, `time` limit, or `stuck` (only in training).
    """

    track: int
    score: float
    frames: int
    tiles: int
    track_tiles: int
    laps: int
    end_reason: str


def finished(world: World, track: int, stuck: bool = False) -> Episode:
    """The record of a world's episode, which has just ended."""
    simulator = world.simulator
    return Episode(
        track=track,
        score=round(world.score, 4),
        frames=simulator.frames,
        tiles=simulator.tile_visited_count,
        track_tiles=len(simulator.track),
        laps=int(simulator.lap_done),
        end_reason="stuck" if stuck else world.end_reason,
    )


def write_episodes(path: Path, episodes: list[Episode]) -> None:
    """Write a CSV with one row per episode, over what was there, in one step."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(f.name for f in fields(Episode))
    writer.writerows(astuple(episode) for episode in episodes)
    write_whole(path, text.getvalue().encode())


def read_episodes(path: Path) -> list[Episode]:
    """Read what `write_episodes` wrote.

    Raises:
        ValueError: If the file has other columns, no rows, a track twice, or a row that cannot be.
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
        raise ValueError(f"{path}: a track is there twice")
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


def possible(episode: Episode) -> bool:
    """Whether the simulator pays this: 1000 for all tiles, -0.1 per frame, -100 for the frame that leads out."""
    e, out = episode, episode.end_reason == "out"
    return (
        e.track >= 0
        and 0 <= e.tiles <= e.track_tiles
        and e.track_tiles > 0
        and 1 <= e.frames <= TIME_LIMIT_FRAMES
        and e.end_reason in END_REASONS
        and e.laps == int(e.end_reason == "lap")
        and abs(1000 * e.tiles / e.track_tiles - 0.1 * (e.frames - out) - 100 * out - e.score)
        < 0.01
    )
