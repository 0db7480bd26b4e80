"""What a finished run left behind, as values that must not depend on how it was carried out."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.plugins.hparams import metadata as hparams_metadata
from tensorboard.util import tensor_util

from training.runs.checkpoint import Checkpoints
from training.runs.fingerprint import fingerprint

Event = tuple[int, str, object]


def checkpoints(run: Path) -> list[int]:
    """Decisions at which a run has a checkpoint."""
    return Checkpoints(run / "checkpoints").steps()


def arrays_at(run: Path, decisions: int) -> dict[str, np.ndarray[Any, Any]]:
    """The arrays of a checkpoint."""
    return dict(load_file(run / "checkpoints" / f"{decisions:09d}" / "arrays.safetensors"))


def outcome(run: Path) -> dict[str, object]:
    """Hashes of everything of the last checkpoint and the logs, seconds and speeds aside."""
    return asdict(fingerprint(run))


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
