"""Computes how fast the best possible lap of a track is: a bound on its score, and a very fast lap that was driven.

python -m benchmarks.limit.limit --tracks 0:50 300:350     -> results/limit.csv; existing rows are kept
python -m benchmarks.limit.limit --page                    results/limit.csv -> docs/limit.md
python -m benchmarks.limit.limit --picture 301             best line and agent's line -> imgs/limit.png
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, wait
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import tyro

from benchmarks.limit.bound import bound, frames_of
from benchmarks.limit.page import car_table
from benchmarks.limit.road import road_of
from benchmarks.limit.search import practise
from benchmarks.rows import write_rows
from racing.simulator import Simulator
from racing.tracks import parse_tracks
from reports.limit import limit_table, read_limit
from reports.report import write_block
from system.cpus import usable_cpus
from system.exits import EXIT_FAILED, EXIT_STOPPED, exit_with_error
from system.files import check_file
from system.forked import ROOT
from system.process_pool import in_processes
from system.processes import interrupt_for_sure

SILENCE = 5.0  # seconds between two lines of output, at most
PATH = tyro.conf.arg(metavar="PATH")


@dataclass(frozen=True)
class Options:
    """Bound the score of the best lap of tracks from above, with a model, and from below, by driving."""

    tracks: tuple[str, ...] = ()
    """test, validation, or FIRST:LAST reset seeds (LAST excluded); one or several."""
    laps: int = 30
    """Number of laps that the oracle may practise on a track."""
    csv: Annotated[Path, PATH] = ROOT / "results" / "limit.csv"
    """File of the results; its existing rows are kept."""
    processes: int = usable_cpus()
    """Number of tracks at once. Changes the time, not the result."""
    page: bool = False
    """Write the tables into docs/limit.md."""
    picture: int | None = None
    """Draw this track, with the best line and the agent's line."""
    weights: Annotated[Path, PATH] = ROOT / "models" / "ddqn.safetensors"
    """Weights of the agent in the picture."""
    png: Annotated[Path, PATH] = ROOT / "imgs" / "limit.png"
    """File for the picture."""

    def check(self) -> list[int]:
        """Check the options and return the tracks to measure.

        Raises:
            ValueError: If an option is invalid.
        """
        if not self.tracks and not self.page and self.picture is None:
            raise ValueError("name tracks, or --page, or --picture TRACK")
        if self.laps < 1 or self.processes < 1:
            raise ValueError("laps and processes must be at least 1")
        if self.picture is not None and not 0 <= self.picture < 2**31:
            raise ValueError(f"a track seed is 0 to {2**31 - 1}, got {self.picture}")
        tracks = sorted({t for text in self.tracks for t in parse_tracks(text, 50)})
        check_file(self.csv)
        if self.picture is not None:
            check_file(self.png)
        return tracks


def measure(track: int, laps: int) -> dict[str, Any]:
    """Bound one track from both sides; returns a row.

    Raises:
        ArithmeticError: If the oracle was faster than the bound, so that one of the two must be wrong.
    """
    simulator = Simulator()
    simulator.start(track)
    road = road_of(simulator)
    best = bound(road)
    found = practise(simulator, track, road, laps, best)
    frames = frames_of(best.seconds)
    if found.drive.lap and found.drive.frames < frames:
        raise ArithmeticError(f"track {track}: {found.drive.frames} frames driven, bound {frames}")
    return {
        "track": track,
        "tiles": road.tiles,
        "bound_frames": frames,
        "bound_score": f"{1000 - 0.1 * frames:.1f}",
        "oracle_frames": found.drive.frames,
        "oracle_score": f"{found.drive.score:.1f}",
        "oracle_laps": int(found.drive.lap),
        "practice": found.laps,
    }


def measured(tracks: list[int], laps: int, processes: int) -> Iterator[dict[str, Any]]:
    """Measure tracks in parallel, and yield rows in any order; prints a line every few seconds.

    Raises:
        ChildProcessError: If a process was killed.
    """
    begun, done = time.monotonic(), 0
    calls = [partial(measure, track, laps) for track in tracks]
    with in_processes(calls, processes, "run again, what is measured is kept") as futures:
        waiting = set(futures)
        while waiting:
            ready, waiting = wait(waiting, SILENCE, FIRST_COMPLETED)
            for future in ready:
                done += 1
                yield future.result()
            print(f"{done} of {len(tracks)} tracks, {time.monotonic() - begun:.0f} s", flush=True)


def fill(options: Options, tracks: list[int]) -> None:
    """Measure the tracks that are not in the CSV yet; the file is rewritten after each."""
    rows = read_limit(options.csv) if options.csv.exists() else []
    missing = sorted(set(tracks) - {int(row["track"]) for row in rows})
    if not missing:
        return
    for row in measured(missing, options.laps, options.processes):
        rows = sorted([*rows, row], key=lambda r: int(r["track"]))
        write_rows(options.csv, rows)
        print(
            f"track {row['track']}: bound {row['bound_frames']} frames ({row['bound_score']}),"
            f" oracle {row['oracle_frames']} ({row['oracle_score']}), laps {row['oracle_laps']}",
            flush=True,
        )


def main(options: Options) -> None:
    """Measure tracks, write the page, and draw the picture, as the options say."""
    interrupt_for_sure()
    try:
        tracks = options.check()
        fill(options, tracks)
        if options.picture is not None:
            from benchmarks.limit.picture import draw_limit

            draw_limit(options.picture, options.weights, options.png)
        if options.page:
            table = limit_table(read_limit(options.csv), ROOT / "results" / "scores")
            cars = car_table(ROOT / "results" / "car_limits.csv")
            write_block(ROOT / "docs" / "limit.md", "limit", table)
            write_block(ROOT / "docs" / "limit.md", "car", cars)
    except ValueError as e:
        exit_with_error(e)
    except (OSError, ArithmeticError) as e:
        exit_with_error(e, EXIT_FAILED)
    except KeyboardInterrupt:
        raise SystemExit(EXIT_STOPPED) from None


if __name__ == "__main__":
    main(tyro.cli(Options))
