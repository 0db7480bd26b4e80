"""Keeps the learning curves of finished runs in results/runs/, and draws them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from reports.curves import folder_name, read_peer, read_runs
from reports.learning_report import learning_table, plot_learning
from reports.report import page_with_block
from system.files import write_whole
from training.runs.run_folder import (
    CONFIG,
    EPISODES,
    ORIGIN,
    TESTS,
    VALIDATIONS,
    RunFolder,
    as_json,
)

KEPT = (CONFIG, ORIGIN, EPISODES, VALIDATIONS, TESTS)
PLACES = ("--runs", "--name", "--resume")


def record(
    runs: Sequence[RunFolder], results: Path, page: Path, picture: Path, label: str = ""
) -> None:
    """Add finished runs, and write the tables and the plot of all kept runs.

    Args:
        runs: Finished runs to add; none to only rewrite the tables and the plot.
        results: Folder whose subfolder runs/ gets the files.
        page: Markdown file with markers between which the tables are written.
        picture: File of the plot.
        label: Label of runs with other settings than the defaults, which are shown separately; if empty, the name of a
            run's preset.

    Raises:
        ValueError: If a run is not finished, two runs would get the same folder, or the page lacks the markers; nothing
            is written then.
        OSError: If a file cannot be read or written.
    """
    kept = results / "runs"
    added = {_kept_as(run, label): run.path for run in runs}
    if len(added) < len(runs):
        raise ValueError("two of these runs are of the same agent and seed")
    before = {folder.name: folder for folder in kept.glob("*/") if folder.is_dir()}
    curves, peer = read_runs(before | added), read_peer(results)
    content = {kept / n / f: _without_places(run / f) for n, run in added.items() for f in KEPT}
    png, table = plot_learning(curves, peer), learning_table(curves, peer)
    content |= {page: page_with_block(page, "learning", table), picture: png}
    for path, data in content.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, data)


def _without_places(path: Path) -> bytes:
    """Read a file of a run; from JSON files, paths on the machine that trained it are removed.

    Raises:
        ValueError: If a JSON file is damaged.
    """
    data = path.read_bytes()
    if path.suffix != ".json":
        return data
    facts = json.loads(data)
    if path.name == CONFIG:
        return as_json(facts | {"runs": "runs", "name": "", "resume": ""})
    words = facts.get("command", [])
    bare = [
        word
        for before, word in pairwise(["", *words])
        if not word.startswith(PLACES) and before not in PLACES
    ]
    return as_json(facts | {"command": bare})


def _kept_as(run: RunFolder, label: str) -> str:
    """Return the name of a run's folder in results/runs/.

    Raises:
        ValueError: If its test is missing, or was of other weights because the run was continued since.
    """
    config = run.config()
    if not run.is_finished():
        raise ValueError(f"{run.path}: its best weights have not driven the test tracks")
    label = label or ("" if config["preset"] == "default" else str(config["preset"]))
    return folder_name(run.agent, label, config["seed"])
