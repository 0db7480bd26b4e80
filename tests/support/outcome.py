"""What a finished run left behind, as values that must not depend on how it was carried out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.plugins.hparams import metadata as hparams_metadata
from tensorboard.util import tensor_util

from training.runs.checkpoint import Checkpoints

Event = tuple[int, str, object]


def checkpoints(run: Path) -> list[int]:
    """Decisions at which a run has a checkpoint."""
    return Checkpoints(run / "checkpoints").steps()


def arrays_at(run: Path, decisions: int) -> dict[str, np.ndarray[Any, Any]]:
    """The arrays of a checkpoint."""
    return dict(load_file(run / "checkpoints" / f"{decisions:09d}" / "arrays.safetensors"))


def outcome(run: Path) -> dict[str, object]:
    """Everything of the last checkpoint and the logs, seconds and speeds aside."""
    newest = checkpoints(run)[-1]
    folder = run / "checkpoints" / f"{newest:09d}"
    state = json.loads((folder / "state.json").read_text())
    manifest = json.loads((folder / "manifest.json").read_text())["manifest"]
    rows = [row.split(",") for row in (run / "validation.csv").read_text().split()]
    assert rows[0][2] == "seconds"
    return {
        "decisions": newest,
        "arrays": {n: a.tobytes() for n, a in arrays_at(run, newest).items() if n != "best"},
        "replay": replay(run, [n for n in manifest["files"] if n.startswith("replay/")]),
        "state": {k: v for k, v in state.items() if k not in ("seconds", "journal")},
        "episodes": (run / "episodes.csv").read_text(),
        "validations": [row[:2] + row[3:] for row in rows],
        "events": [e for e in events(run) if e[0] and not e[1].startswith("speed/")],
        "best": {n: a.tobytes() for n, a in load_file(run / "best.safetensors").items()},
    }


def replay(run: Path, chunks: list[str]) -> dict[str, bytes]:
    """What the replay holds, however it was cut into chunks: a stop makes a checkpoint, and so a cut, of its own."""
    config = json.loads((run / "config.json").read_text())
    slots = config["replay_capacity"] // config["cars"]
    chunks.sort(key=lambda name: int(Path(name).stem.split("-")[0]))
    parts = [load_file(run / "checkpoints" / chunk) for chunk in chunks]
    return {n: np.concatenate([p[n] for p in parts])[-slots:].tobytes() for n in sorted(parts[0])}


def events(folder: Path) -> list[Event]:
    """Everything in a run's event files, in order: step, tag, value; graphs and hyperparameters as bytes."""
    found: list[Event] = []
    for path in sorted(folder.glob("events.out.tfevents.*"), key=lambda p: p.suffix):
        for event in EventFileLoader(str(path)).Load():
            if event.graph_def:
                found.append((event.step, "graph", event.graph_def))
            for value in event.summary.value:
                if value.metadata.plugin_data.plugin_name == hparams_metadata.PLUGIN_NAME:
                    content = value.metadata.plugin_data.content
                    start = hparams_metadata.parse_session_start_info_plugin_data(content)
                    found.append((event.step, value.tag, str(sorted(start.hparams.items()))))
                else:
                    array = tensor_util.make_ndarray(value.tensor)
                    found.append((event.step, value.tag, array.tolist()))
    return found


def curve(found: list[Event], tag: str) -> list[tuple[int, object]]:
    """Steps and values of one curve."""
    return [(step, value) for step, name, value in found if name == tag]
