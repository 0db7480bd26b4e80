"""The results tables, made from the CSV files in results/, and the blocks of pages that they are written to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from evaluation.evaluation import Summary, bootstrap_interval, summarise
from evaluation.scores import read_episodes
from racing.episode import Episode
from racing.tracks import TEST
from reports.markdown import table
from system.files import write_whole

EPISODES = 50  # number of test tracks, counted from the first, for the main table
HEAD = ("driver", "mean", "95 % interval", "max", "min", "std", "laps", "frames")
MORE_EPISODES = 100  # number of test tracks for the second table


@dataclass(frozen=True)
class Published:
    """Published figures of the ancestor, the project that this one descends from (CarRacing-v0, 50 runs each)."""

    mean: float
    max: float | None = None
    min: float | None = None
    std: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Row:
    """A row of the table: the stem of its CSV, its title, and the ancestor's figures for the same driver."""

    stem: str
    title: str
    published: Published | None


ROWS = (
    Row("random", "Random, the agents' actions", Published(-24.28)),
    Row("random-continuous", "Random, continuous controls", None),
    Row("pid", "PID controller", Published(680.98, 805.45, 446.62, 90.22)),
    Row("human", "Human", Published(770.75, 824.09, 683.29, 45.28)),
    Row("dqn", "DQN", Published(385.06, 841.28, 43.28, 251.37)),
    Row(
        "ddqn",
        "Prioritised Double DQN",
        Published(
            899.49, 919.69, 817.27, 231.93, "impossible within its bounds; 23.19 from its episodes"
        ),
    ),
    Row("ancestor-dqn", "The ancestor's DQN, trained here", None),
    Row("ancestor-ddqn1", "The ancestor's DDQN1, trained here", None),
    Row("ancestor-ddqn2", "The ancestor's DDQN2, trained here", None),
)


def read_scores(folder: Path) -> dict[str, list[Episode]]:
    """Read the episodes of all drivers that have a CSV, by the stem of the row.

    Raises:
        ValueError: If a file is not one that `evaluate.py --csv` writes, or there is no file.
    """
    files = {row.stem: folder / f"{row.stem}.csv" for row in ROWS}
    scores = {stem: read_episodes(path) for stem, path in files.items() if path.exists()}
    if not scores:
        raise ValueError(f"{folder} has no scores: measure with evaluate.py --all")
    return scores


def on_first_tracks(
    scores: dict[str, list[Episode]], count: int = EPISODES
) -> dict[str, list[Episode]]:
    """Return each driver's episodes on the first `count` test tracks; drivers without any are left out."""
    driven = {stem: [e for e in scores[stem] if e.track in TEST[:count]] for stem in scores}
    return {stem: episodes for stem, episodes in driven.items() if episodes}


def scores_table(scores: dict[str, list[Episode]]) -> str:
    """Make the table of all drivers on the first EPISODES test tracks, with the ancestor's figures, in Markdown."""
    driven, rows, notes = on_first_tracks(scores), [], []
    for row in ROWS:
        count = len(driven.get(row.stem, []))
        if count == EPISODES:
            cells = _measured(summarise(driven[row.stem]))
        elif row.published is not None:
            cells = _not_measured(row.published)
            notes.append(
                f"{row.title}: {count} of {EPISODES} tracks driven here yet;"
                " the figures in brackets are the ancestor's."
            )
        else:
            continue
        cells.append(f"{row.published.mean:.1f}" if row.published else "–")
        if row.published and row.published.note:
            cells[-1] += "\\*"
            notes.append(f"\\* Its printed std, {row.published.std}, is {row.published.note}.")
        rows.append([row.title, *cells])
    return "\n".join([table((*HEAD, "ancestor's mean"), rows), "", *notes])


def long_table(scores: dict[str, list[Episode]]) -> str:
    """Make the table of the drivers that drove the first MORE_EPISODES test tracks, in Markdown."""
    driven = on_first_tracks(scores, MORE_EPISODES)
    rows = [
        [row.title, *_measured(summarise(driven[row.stem]))]
        for row in ROWS
        if len(driven.get(row.stem, [])) == MORE_EPISODES
    ]
    return table(HEAD, rows)


def _measured(s: Summary) -> list[str]:
    mean, interval, laps = score_cells(s)
    return [mean, interval, *(f"{x:.1f}" for x in (s.max, s.min, s.std)), laps, f"{s.frames:.0f}"]


def score_cells(s: Summary) -> list[str]:
    """Mean, its interval over the tracks, and laps, as every table of scores has them."""
    return [f"**{s.mean:.1f}**", f"{s.low:.1f} – {s.high:.1f}", f"{s.laps}/{s.episodes}"]


def interval_over_seeds(scores: Sequence[float]) -> str:
    """The interval of the mean of the seeds' scores, the same way; a dash for a seed alone."""
    low, high = bootstrap_interval(scores)
    return f"{low:.1f} – {high:.1f}" if len(scores) > 1 else "–"


def _not_measured(p: Published) -> list[str]:
    figures = ["–" if x is None else f"({x:.1f})" for x in (p.max, p.min, p.std)]
    return [f"({p.mean:.1f})", "–", *figures, "–", "–"]


def write_block(page: Path, name: str, text: str) -> None:
    """Replace the text between a page's markers of this name.

    Raises:
        ValueError: If the page does not exist, or does not have the markers.
    """
    write_whole(page, page_with_block(page, name, text))


def page_with_block(page: Path, name: str, text: str) -> bytes:
    """Return the content of a page with the text between its markers of this name replaced.

    Raises:
        ValueError: If the page does not exist, or does not have the markers.
    """
    try:
        return with_block(page.read_text(encoding="utf-8"), name, text).encode()
    except FileNotFoundError:
        raise ValueError(f"{page}: there is no such page") from None


def with_block(page: str, name: str, text: str) -> str:
    """Replace the text between the markers of this name in the text of a page.

    Raises:
        ValueError: If the page does not have the markers.
    """
    begin, end = f"<!-- {name} table: begin -->", f"<!-- {name} table: end -->"
    before, found_begin, rest = page.partition(begin)
    _, found_end, after = rest.partition(end)
    if not found_begin or not found_end:
        raise ValueError(f"the page has no {begin} ... {end}")
    return f"{before}{begin}\n{text}\n{end}{after}"
