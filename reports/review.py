"""Reviews one run: `review(Runs().resolve("-1"))` writes review.png and review.html into its folder."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from racing.episode import Episode
from racing.simulator import TIME_LIMIT_FRAMES
from reports.own_files import check_own_file
from reports.png import as_png
from reports.review_data import Review, read_review
from reports.review_figure import DPI, PANELS, overview, panel_svg
from reports.review_page import header, page
from system.files import check_folder, write_whole
from system.progress import OnProgress, notify, progress
from training.runs.run_folder import BEST, RunFolder

MARK = "runs.py review"
PICTURE, PAGE = "review.png", "review.html"
MAP_SIZE = (6.4, 5.6)  # inches


@dataclass(frozen=True)
class Map:
    """A map of a test drive.

    Attributes:
        png: The picture, a PNG.
        text: Its caption.
    """

    png: bytes
    text: str


def review(run: RunFolder, out: Path | None = None, maps: bool = True) -> tuple[Path, Path]:
    """Draw the curves of a run and write a page about it; the run may be in any state.

    Args:
        run: The run; its files are only read.
        out: Folder for the two files, created if necessary; by default the run's folder.
        maps: Whether to drive the worst, the median and the best test track again with the best weights, to draw maps.

    Returns:
        The picture, and the page, which is self-contained.

    Raises:
        ValueError: If the run's settings cannot be read, or a file cannot be written or exists and is not from this
            command; nothing has been written then.
        OSError: If writing fails.
    """
    folder = out or run.path
    check_folder(folder)
    paths = folder / PICTURE, folder / PAGE
    if folder.is_dir():
        for path in paths:
            check_own_file(path, MARK)
    found = read_review(run)
    drawn: list[Map] = []
    if maps and found.test and (run.path / BEST).is_file():
        notify(f"getting {run.shown}/{BEST} ready to drive")
        with progress(
            f"driving test tracks for their maps with {run.shown}", "frames"
        ) as on_progress:
            drawn = _drive(found, on_progress)
    with progress(f"drawing {run.shown}", "pictures") as on_progress:
        panels = {}
        for done, panel in enumerate(PANELS):
            on_progress(done, len(PANELS) + 1)
            panels[panel.title] = panel_svg(panel, found)
        on_progress(len(PANELS), len(PANELS) + 1)
        png = overview(found, header(found), [m.png for m in drawn], MARK)
    html = page(found, panels, [(m.png, m.text) for m in drawn], MARK)
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(paths[0], png)
    write_whole(paths[1], html.encode())
    return paths


def chosen(test: list[Episode]) -> dict[str, Episode]:
    """Return the worst, the median and the best episode by these names; fewer if some of them are the same."""
    ordered = sorted(test, key=lambda e: (e.score, e.track))
    named = {"worst": ordered[0], "median": ordered[len(ordered) // 2], "best": ordered[-1]}
    tracks = [e.track for e in named.values()]
    return {n: e for i, (n, e) in enumerate(named.items()) if e.track not in tracks[:i]}


def _drive(found: Review, on_progress: OnProgress) -> list[Map]:
    """Drive the chosen tracks and draw maps; if the weights cannot be loaded, adds a problem to the review instead."""
    from evaluation.drivers import load_driver
    from reports.track_map import drive_map

    episodes, maps = chosen(found.test), list[Map]()
    try:
        driver = load_driver(str(found.run.path / BEST))
    except ValueError as e:
        found.problems.append(f"no maps: {e}")
        return []
    for i, (name, noted) in enumerate(episodes.items()):
        done = partial(
            _add_frames, on_progress, i * TIME_LIMIT_FRAMES, len(episodes) * TIME_LIMIT_FRAMES
        )
        figure, driven = drive_map(driver, noted.track, name, on_progress=done)
        figure.set_size_inches(MAP_SIZE)
        text = f"{name} test track, {noted.track}"
        if driven.score != noted.score:
            text += f": {driven.score:.1f} here, {noted.score:.1f} when it was measured"
        maps.append(Map(as_png(figure, DPI), text))
    return maps


def _add_frames(on_progress: OnProgress, before: int, total: int, frames: int) -> None:
    on_progress(before + frames, total)
