#!/usr/bin/env python3
"""Score drivers on the same tracks, by default tracks that none of them was trained on.

python evaluate.py random models/ddqn.safetensors
python evaluate.py models/ddqn.safetensors --tracks 0:100 --csv scores.csv
python evaluate.py -1 --show    watch the newest run drive, even while it trains
python evaluate.py --all        every driver -> results/scores/*.csv
python evaluate.py --table      results/scores/*.csv -> the README's table and the plots in imgs/
"""

from __future__ import annotations

import system.startup  # isort: skip  # noqa: F401

from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import tyro

from evaluation.drivers import NAMED, check_driver, load_driver
from evaluation.evaluation import evaluate, summary_line
from evaluation.scores import write_episodes
from racing.episode import Episode
from racing.spec import CameraName
from racing.tracks import parse_tracks
from system.cpus import usable_cpus
from system.exits import one_line_errors
from system.files import check_file, check_folder
from system.processes import interrupt_for_sure
from system.progress import progress
from training.runs.names import RunError
from training.runs.run_folder import BEST
from training.runs.store import Runs

HERE = Path(__file__).resolve().parent
SCORES = HERE / "results" / "scores"
SCREEN = (1600, 900)  # so large that the window is not shrunk
NO_SCREEN = "film it with --film FOLDER, or open the window with --virtual-display"


@dataclass(frozen=True)
class Options:
    """Score drivers on whole episodes: raw reward, up to 1000 frames, no early termination."""

    drivers: tyro.conf.Positional[tuple[str, ...]]
    """random, random-continuous, pid, weight files, or runs (-1 is the newest), whose best weights are used."""
    tracks: str = "test"
    """Tracks to drive: test, validation, or reset seeds FIRST:LAST (LAST excluded)."""
    episodes: int | None = None
    """Number of tracks of a named set; by default 50, or 3 in a race."""
    camera: CameraName = "official"
    """Camera that the driver sees with; reported scores use the official one."""
    csv: Annotated[Path | None, tyro.conf.arg(metavar="PATH")] = None
    """Write a CSV file with one row per episode (one driver only)."""
    processes: int = field(default_factory=usable_cpus)
    """Processes that drive in parallel; by default one per usable core. Changes the time, not the result."""
    film: Annotated[Path | None, tyro.conf.arg(metavar="FOLDER")] = None
    """Film the best, the median and the worst episode as mp4, each with a map (one driver only)."""
    gif: Annotated[Path | None, tyro.conf.arg(metavar="PATH")] = None
    """Write the median episode as a small GIF (one driver only)."""
    race: Annotated[Path | None, tyro.conf.arg(metavar="PAGE.html")] = None
    """Write a web page in which the drivers race on these tracks; a folder of recordings counts as a driver."""
    show: bool = False
    """Watch the driver in a window; if its run is still training, the best weights are reloaded for every track."""
    virtual_display: bool = False
    """Open the window on a virtual display (needs Xvfb)."""
    all: bool = False
    """Score every available driver and write results/scores/."""
    table: bool = False
    """Rewrite the README's tables and the plots from results/."""


def main(options: Options) -> None:
    """Score the drivers, print the scores, write what the options ask for."""
    interrupt_for_sure()
    with one_line_errors():
        count = (3 if options.race else 50) if options.episodes is None else options.episodes
        tracks = parse_tracks(options.tracks, count)
        options = replace(options, drivers=tuple(map(resolved, options.drivers)))
        if options.race:
            _race(options.race, tracks, options)
            return
        if options.show:
            _show(tracks, options)
            return
        jobs = _jobs(options)
        if options.processes < 1:
            raise ValueError(f"processes must be at least 1, got {options.processes}")
        for name, path in jobs:
            check_driver(name)
            if path:
                check_file(path)
        if options.film:
            check_folder(options.film)
        if options.gif:
            if options.gif.suffix != ".gif":
                raise ValueError(f"a GIF's name ends in .gif, got {options.gif}")
            check_file(options.gif)
        for name, path in jobs:
            episodes = _measure(name, tracks, options)
            if path:
                write_episodes(path, episodes)
            print(summary_line(name, episodes), flush=True)
            if options.film or options.gif:
                _film(name, episodes, options)
        if options.table:
            from reports.tables import write_tables

            write_tables(HERE)


def _jobs(options: Options) -> list[tuple[str, Path | None]]:
    """Whom to measure, and where to write the episodes."""
    if options.all:
        if options.drivers or options.csv or options.film or options.gif:
            raise ValueError("--all takes no drivers, and no --csv, --film or --gif")
        if options.camera != "official":
            raise ValueError("--all measures under the official camera")
        learned = sorted(str(p) for p in HERE.glob("models/*.safetensors"))
        return [(name, SCORES / f"{Path(name).stem}.csv") for name in (*NAMED, *learned)]
    if not options.drivers and not options.table:
        raise ValueError("name at least one driver, or --all, or --table")
    if (options.csv or options.film or options.gif) and len(options.drivers) != 1:
        raise ValueError("--csv, --film and --gif take one driver at a time")
    return [(name, options.csv) for name in options.drivers]


def resolved(name: str) -> str:
    """The weight file that is meant where a run is named; anything else as it is."""
    if name in NAMED or name.endswith(".safetensors") or Path(name).is_dir():
        return name if not (Path(name) / BEST).is_file() else str(Path(name) / BEST)
    try:
        return str(Runs().resolve(name).path / BEST)
    except RunError:
        return name  # check_driver says what would be a driver


def _show(tracks: list[int], options: Options) -> None:
    from cockpit.spectator import Spectator, watch_all
    from cockpit.window import virtual_display

    if len(options.drivers) != 1:
        raise ValueError("--show takes one driver")
    [name] = options.drivers
    load_driver(name)  # an error is printed before a window opens
    with ExitStack() as stack:
        if options.virtual_display:
            display = stack.enter_context(virtual_display(SCREEN))
            print(f"the window is on display {display}", flush=True)
        watch_all(Spectator(NO_SCREEN), lambda: load_driver(name), tracks, options.camera)


def _film(name: str, episodes: list[Episode], options: Options) -> None:
    """Film episodes under the camera that they were scored with."""
    from reports.film import best_median_worst, write_gif, write_mp4
    from reports.track_map import write_map

    driver, tracks = load_driver(name), best_median_worst(episodes)
    if options.gif:
        with progress(f"filming track {tracks['median']}", "frames at most") as on_progress:
            write_gif(driver, tracks["median"], options.gif, options.camera, on_progress)
    if folder := options.film:
        folder.mkdir(parents=True, exist_ok=True)
        # Of one or two episodes, the best is also the median: film it once.
        films = {track: which for which, track in reversed(tracks.items())}
        for track, which in films.items():
            path = folder / f"{Path(name).stem}-{which}-track{track}"
            with progress(
                f"filming track {track}, the {which} one", "frames at most"
            ) as on_progress:
                write_mp4(driver, track, path.with_suffix(".mp4"), options.camera, on_progress)
            write_map(driver, track, path.with_suffix(".png"), options.camera)
            print(f"{path}.mp4", f"{path}.png", sep="\n", flush=True)


def _race(page: Path, tracks: list[int], options: Options) -> None:
    from reports.race import check_race, drive_race, write_page

    if options.csv or options.film or options.gif or options.all or options.table:
        raise ValueError("--race takes no --csv, --film, --gif, --all or --table")
    check_race(page, options.drivers, tracks)
    drives = drive_race(options.drivers, tracks, options.camera)
    write_page(page, options.drivers, drives, options.camera)
    for name, recordings in zip(options.drivers, drives, strict=True):
        print(summary_line(name, [recording.episode for recording in recordings]))
    print(page)


def _measure(name: str, tracks: list[int], options: Options) -> list[Episode]:
    with progress(name, "tracks") as on_progress:
        return evaluate(name, tracks, options.camera, options.processes, on_progress)


if __name__ == "__main__":
    main(tyro.cli(Options))
