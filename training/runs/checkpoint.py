"""Checkpoints: complete, written atomically, and verified before they are loaded.

A run's checkpoints/ has one folder per checkpoint, named by the number of decisions so far, with
- `arrays.safetensors`: weights, target weights, averages, optimizer slots, priorities, the best weights;
- `state.json`: counters, random generators, actors, logs;
- `manifest.json`: the run, SHA-256 and size of every file that belongs to the checkpoint; written last.
Next to them, replay/ holds the experience between two checkpoints, steps FIRST-LAST.safetensors: these files are
written once, never changed, and shared by the checkpoints.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load, save

from agents.replay import FrameStore, Trajectory
from system.files import sha256, sync_folder, write_whole
from training.runs.manifest import FORMAT, MANIFEST, CheckpointError, checked_manifest, sealed


class Checkpoints:
    """The checkpoints of one run.

    Args:
        folder: Folder of the checkpoints; created when the first is saved.
        run: Identity of the run; checkpoints of other runs are refused.
        keep: Number of checkpoints to keep; by default two.
    """

    def __init__(self, folder: Path, run: str = "", keep: int = 2) -> None:
        self.folder, self._run, self._keep = folder, run, keep

    def steps(self) -> list[int]:
        """Return the decisions of all checkpoints, oldest first."""
        if not self.folder.is_dir():
            return []
        folders = (p.name for p in self.folder.iterdir() if p.is_dir())
        return sorted(int(name) for name in folders if re.fullmatch("[0-9]{9,}", name))

    def save(
        self,
        decisions: int,
        state: dict[str, Any],
        arrays: dict[str, NDArray[Any]],
        store: FrameStore,
    ) -> None:
        """Save a checkpoint; of the replay, only new steps are written.

        Raises:
            OSError: If it cannot be written; earlier checkpoints are then unchanged.
        """
        chunks = self._save_replay(store)
        aside = self.folder / f".{decisions:09d}.part"
        shutil.rmtree(aside, ignore_errors=True)
        try:
            aside.mkdir(parents=True)
            files = {"arrays.safetensors": save(arrays), "state.json": json.dumps(state).encode()}
            listed = dict(chunks)
            for name, data in files.items():
                write_whole(aside / name, data)
                listed[name] = {"sha256": sha256(data), "bytes": len(data)}
            manifest = {
                "format": FORMAT,
                "run": self._run,
                "decisions": decisions,
                "files": listed,
            }
            write_whole(aside / MANIFEST, sealed(manifest))
            final = self._at(decisions)
            shutil.rmtree(final, ignore_errors=True)
            aside.rename(final)
        except OSError:
            shutil.rmtree(aside, ignore_errors=True)
            self._drop_chunks()
            raise
        sync_folder(self.folder)
        for old in self.steps()[: -self._keep]:
            shutil.rmtree(self._at(old))
        self._drop_chunks()

    def load_newest(
        self, store: FrameStore, notify: Callable[[str], None]
    ) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Load the newest intact checkpoint, set aside anything newer, and fill the store.

        Args:
            store: The store to fill.
            notify: Called with one line about every damaged checkpoint.

        Returns:
            State and arrays as they were saved.

        Raises:
            CheckpointError: If none is intact; the message names the missing or damaged files, and nothing is changed.
        """
        problems = []
        for step in reversed(self.steps()):
            try:
                state, arrays = self.load(step, store)
            except CheckpointError as e:
                notify(f"{e}; trying the previous checkpoint")
                problems.append(str(e))
                continue
            self._forget_after(step)
            return state, arrays
        raise CheckpointError("; ".join(problems) or f"no checkpoint in {self.folder}")

    def load(
        self, decisions: int, store: FrameStore
    ) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Load a checkpoint and fill the store.

        Returns:
            State and arrays as they were saved.

        Raises:
            CheckpointError: If a file is missing or damaged; the message names it.
        """
        folder = self._at(decisions)
        manifest = self._manifest(folder)
        arrays = load(self._read(folder, "arrays.safetensors", manifest))
        state: dict[str, Any] = json.loads(self._read(folder, "state.json", manifest))
        chunks = sorted((n for n in manifest["files"] if n.startswith("replay/")), key=_first)
        store.written = _first(chunks[0]) if chunks else 0
        for name in chunks:
            part = load(self._read(self.folder, name, manifest))
            store.extend(Trajectory(**part))
        return state, arrays

    def problems(self) -> list[str]:
        """Return the problems of all files of all checkpoints; changes nothing."""
        found = []
        for step in self.steps():
            folder = self._at(step)
            try:
                manifest = self._manifest(folder)
                for name in manifest["files"]:
                    self._read(
                        self.folder if name.startswith("replay/") else folder, name, manifest
                    )
            except CheckpointError as e:
                found.append(str(e))
        return found

    def _at(self, decisions: int) -> Path:
        """The folder of a checkpoint."""
        return self.folder / f"{decisions:09d}"

    def _manifest(self, folder: Path) -> dict[str, Any]:
        try:
            data = (folder / MANIFEST).read_bytes()
        except OSError as e:
            raise CheckpointError(f"{folder / MANIFEST}: missing or damaged ({e})") from None
        return checked_manifest(data, str(folder), int(folder.name), self._run)

    def _read(self, folder: Path, name: str, manifest: dict[str, Any]) -> bytes:
        path = folder / name
        entry = manifest["files"].get(name)
        if entry is None:
            raise CheckpointError(f"{path}: not in the manifest")
        try:
            data = path.read_bytes()
        except OSError as e:
            raise CheckpointError(f"{path}: {e.strerror}") from None
        if len(data) != entry["bytes"]:
            raise CheckpointError(f"{path}: {len(data)} bytes instead of {entry['bytes']}")
        if sha256(data) != entry["sha256"]:
            raise CheckpointError(f"{path}: damaged, its SHA-256 is not the one that was saved")
        return data

    def _save_replay(self, store: FrameStore) -> dict[str, Any]:
        """Write the steps since the last checkpoint; return all chunks that the ring buffer still holds."""
        chunks = self._newest_chunks()
        last = max(map(_last, chunks), default=0)
        begin = store.written - store.length
        chunks = {n: e for n, e in chunks.items() if _last(n) > begin}
        first = max(last, begin, 0)
        if first < store.written:
            part = store.trajectory(first, store.written)
            data = save({k: np.ascontiguousarray(v) for k, v in vars(part).items()})
            name = f"replay/{first}-{store.written}.safetensors"
            (self.folder / "replay").mkdir(parents=True, exist_ok=True)
            write_whole(self.folder / name, data)
            chunks[name] = {"sha256": sha256(data), "bytes": len(data)}
        return chunks

    def _newest_chunks(self) -> dict[str, Any]:
        """Return the chunks of the last checkpoint; none if something is wrong, so that all are written again."""
        steps = self.steps()
        try:
            files = self._manifest(self._at(steps[-1]))["files"] if steps else {}
            chunks = {n: e for n, e in files.items() if n.startswith("replay/")}
            whole = all((self.folder / n).stat().st_size == e["bytes"] for n, e in chunks.items())
        except (CheckpointError, OSError):
            return {}
        return chunks if whole else {}

    def _drop_chunks(self) -> None:
        """Delete what no checkpoint needs."""
        needed: set[str] = set()
        for kept in self.steps():
            try:
                needed |= set(self._manifest(self._at(kept))["files"])
            except CheckpointError:
                return  # it is unknown which chunks it needs, so keep all
        for chunk in (self.folder / "replay").glob("*.safetensors"):
            if f"replay/{chunk.name}" not in needed:
                chunk.unlink()

    def _forget_after(self, decisions: int) -> None:
        """Set aside later checkpoints, which could not be read: the resumed run makes them again.

        Partly written files of a killed run are removed.
        """
        for part in [*self.folder.glob(".*.part*"), *self.folder.glob("replay/.*.part*")]:
            shutil.rmtree(part) if part.is_dir() else part.unlink()
        for step in self.steps():
            if step > decisions:
                aside = self.folder / f"damaged-{step:09d}"
                while aside.exists():
                    aside = aside.with_name(f"{aside.name}-again")
                self._at(step).rename(aside)


def _first(name: str) -> int:
    return int(Path(name).stem.split("-")[0])


def _last(name: str) -> int:
    return int(Path(name).stem.split("-")[1])


__all__ = ["CheckpointError", "Checkpoints"]
