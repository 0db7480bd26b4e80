"""The fingerprint of a run: results that must not depend on the number of workers, or on stops and kills."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from safetensors.numpy import load, load_file

from training.runs.manifest import MANIFEST
from training.runs.run_folder import BEST, CHECKPOINTS, EPISODES, VALIDATIONS, RunFolder


@dataclass(frozen=True)
class Fingerprint:
    """Hashes of the results of a run.

    Attributes:
        decisions: Decisions of the last checkpoint; the next three are also of this checkpoint.
        arrays: Networks, optimizer, priorities.
        replay: Content of the replay.
        state: Counters, random generators, actors, without times.
        episodes: episodes.csv.
        validations: validation.csv, without times.
        events: TensorBoard's events in order, without speeds.
        best: The best weights.
    """

    decisions: int
    arrays: str
    replay: str
    state: str
    episodes: str
    validations: str
    events: str
    best: str

    def differences(self, expected: Fingerprint) -> str:
        """Return the names of the differences, or `nothing`."""
        names = (f.name for f in fields(self))
        return " ".join(n for n in names if getattr(self, n) != getattr(expected, n)) or "nothing"


def fingerprint(run: Path) -> Fingerprint:
    """Compute the fingerprint of a finished run."""
    newest = max(p for p in (run / CHECKPOINTS).iterdir() if p.name.isdecimal())
    state = json.loads((newest / "state.json").read_text())
    state = {k: v for k, v in state.items() if k not in ("seconds", "journal")}
    arrays = load_file(newest / "arrays.safetensors")
    manifest = json.loads((newest / MANIFEST).read_text())["manifest"]
    rows = [row.split(",") for row in (run / VALIDATIONS).read_text().split()]
    seconds = rows[0].index("seconds")
    best = load((run / BEST).read_bytes())
    return Fingerprint(
        decisions=int(newest.name),
        arrays=_hash({n: a.tobytes() for n, a in sorted(arrays.items()) if n != "best"}),
        replay=_hash(_replay(run, manifest["files"])),
        state=_hash(json.dumps(state, sort_keys=True)),
        episodes=_hash((run / EPISODES).read_text()),
        validations=_hash([row[:seconds] + row[seconds + 1 :] for row in rows]),
        events=_hash(events(run)),
        best=_hash({name: array.tobytes() for name, array in sorted(best.items())}),
    )


def _replay(run: Path, files: Iterable[str]) -> dict[str, bytes]:
    """Return the content of the replay, independent of chunks: each stop adds a checkpoint, and so a chunk."""
    config = RunFolder(run).config()
    length = config["replay_capacity"] // config["cars"]
    chunks = [Path(name) for name in files if name.startswith("replay/")]
    chunks.sort(key=lambda chunk: int(chunk.stem.partition("-")[0]))
    parts = [load_file(run / CHECKPOINTS / chunk) for chunk in chunks]
    return {n: np.concatenate([p[n] for p in parts])[-length:].tobytes() for n in sorted(parts[0])}


def events(run: Path) -> list[tuple[int, str, bytes]]:
    """Return step, name and value of everything in the TensorBoard files, except speeds."""
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    files = sorted(run.glob("events.out.tfevents.*"), key=lambda p: p.name.rpartition(".")[2])
    return [
        (event.step, value.tag, value.tensor.SerializeToString())
        for file in files
        for event in EventFileLoader(str(file)).Load()
        for value in event.summary.value
        if event.step and not value.tag.startswith("speed/")
    ]


def _hash(value: object) -> str:
    return hashlib.sha256(repr(value).encode()).hexdigest()
