"""Rewrites all tables and plots of scores in the README and in docs/results.md, from the CSV files in results/."""

from __future__ import annotations

from pathlib import Path

from reports.plots import plot_scores, plot_speed_and_missed_tiles
from reports.report import long_table, on_first_tracks, read_scores, scores_table, with_block
from reports.speed_report import speed_table
from system.files import check_file, write_whole


def write_tables(root: Path) -> None:
    """Rewrite all tables and plots; all of them are made before any is written.

    Args:
        root: Folder of the project, with README.md, docs/, imgs/ and results/.

    Raises:
        ValueError: If a CSV is damaged, or a file cannot be written.
        OSError: If writing fails.
    """
    readme, results, images = root / "README.md", root / "docs" / "results.md", root / "imgs"
    plots = {
        images / "scores.png": plot_scores,
        images / "speed_and_missed_tiles.png": plot_speed_and_missed_tiles,
    }
    for path in (readme, results, *plots):
        check_file(path)
    scores = read_scores(root / "results" / "scores")
    page = with_block(readme.read_text(encoding="utf-8"), "results", scores_table(scores))
    more = with_block(results.read_text(encoding="utf-8"), "long", long_table(scores))
    more = with_block(more, "speed", speed_table(root / "results"))
    driven = on_first_tracks(scores)
    content = {path: plot(driven) for path, plot in plots.items()}
    for path, data in (content | {readme: page.encode(), results: more.encode()}).items():
        write_whole(path, data)
