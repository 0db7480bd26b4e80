"""Makes the index of experiments in docs/lab_notes.md, from results/experiments/.

python -m reports.experiments     rewrites the index
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from reports.curves import read_points
from reports.markdown import table
from reports.report import write_block
from training.runs.compat import renamed
from training.runs.run_folder import CONFIG, VALIDATIONS

ROOT = Path(__file__).resolve().parents[1]
NOTES, FOLDER = ROOT / "docs" / "lab_notes.md", ROOT / "results" / "experiments"
# Settings about location and length, which say nothing about what a run tried.
NOT_TRIED = {"runs", "name", "resume", "workers", "device", "test_episodes", "checkpoint_every"}
NOT_TRIED |= {"seed", "decisions", "preset", "threads", "validate_every", "validation_tracks"}


def index(folder: Path, default: dict[str, Any]) -> str:
    """Make a row per run: seed, length, best validation, and the settings that differ from the published `long` run.

    Args:
        folder: Contains a folder per run, with config.json and validation.csv.
        default: The settings to compare with, by their current names.

    Returns:
        A table in Markdown.
    """
    rows = []
    for run in sorted(
        (p for p in folder.iterdir() if p.is_dir()),
        key=lambda p: (len(p.name.split("-")[0]), p.name),
    ):
        if not (run / CONFIG).is_file():
            continue  # a comparison of drives, not a run
        config = renamed(json.loads((run / CONFIG).read_text()))
        cells = [run.name, str(config.get("seed", "–")), "–", "–", "–"]
        with contextlib.suppress(ValueError):  # stopped before its first validation
            points = read_points(run / VALIDATIONS)
            best = points[points[:, 3].argmax()]
            cells[2:] = f"{points[-1, 1]:,.0f}", f"{best[3]:.1f}", f"{best[1]:,.0f}"
        rows.append([*cells, _differences(config, default)])
    head = [
        "run",
        "seed",
        "decisions",
        "best validation",
        "at",
        "set otherwise than by the published `long` of `DDQN.py`",
    ]
    return table(head, rows)


def _differences(config: dict[str, Any], default: dict[str, Any]) -> str:
    """Return the settings that differ, among those that both have; older runs lack some, and have others."""
    names = [n for n in default if n in config and n not in NOT_TRIED and config[n] != default[n]]
    return ", ".join(f"{name} {json.dumps(config[name])}" for name in names) or "–"


def main() -> None:
    """Rewrite the index."""
    published = renamed(json.loads((ROOT / "results/runs/ddqn-long-seed1/config.json").read_text()))
    write_block(NOTES, "experiments", index(FOLDER, published))


if __name__ == "__main__":
    main()
