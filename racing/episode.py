"""Records of finished episodes, from which all scores are computed."""

from __future__ import annotations

from dataclasses import dataclass

from racing.simulator import TIME_LIMIT_FRAMES
from racing.spec import EndReason
from racing.world import World

END_REASONS: tuple[EndReason, ...] = ("lap", "out", "time", "stuck")


@dataclass(frozen=True)
class Episode:
    """The record of a finished episode.

    Attributes:
        track: Reset seed.
        score: Sum of the simulator's own rewards.
        frames: Length in frames of 1/50 s.
        tiles: Number of tiles visited.
        track_tiles: Number of tiles of the track.
        laps: Number of laps completed, 0 or 1.
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
    """Make the record of a world's episode that has just ended."""
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


def possible(episode: Episode) -> bool:
    """Check a record against the simulator's rewards: 1000 for all tiles, -0.1 per frame, -100 for leaving."""
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
