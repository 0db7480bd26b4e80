"""What is to be uploaded, kept from being deleted or changed meanwhile: hard links to a checkpoint's files."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from training.mirror.lease import OURS
from training.runs.manifest import MANIFEST, checked_manifest, file_in_run
from training.runs.run_folder import CHECKPOINTS

PREFIX = "staged-"


@dataclass(frozen=True)
class Entry:
    """A file of a checkpoint, as the manifest has it.

    Attributes:
        sha256: Of its content.
        size: Bytes.
    """

    sha256: str
    size: int


@dataclass(frozen=True)
class Staged:
    """A checkpoint that stays as it is until `remove`.

    Attributes:
        decisions: At which it was made.
        folder: With links to its files, at their places in a run.
        manifest: Content of its manifest.json.
        files: All of its files by their places in a run, but the manifest.
    """

    decisions: int
    folder: Path
    manifest: bytes
    files: Mapping[str, Entry]

    def remove(self) -> None:
        """It is not needed any more."""
        shutil.rmtree(self.folder, ignore_errors=True)


def stage(run: Path, identity: str, decisions: int, there: Mapping[str, str]) -> Staged:
    """Keep the files of a checkpoint.

    Args:
        run: Folder of the run.
        identity: Of the run, as its manifests say it.
        decisions: Which checkpoint.
        there: SHA-256 of files that are in the mirror already, by their places in a run; they need not be kept.

    Raises:
        OSError: If it cannot be; nothing is left of it then.
        CheckpointError: If the checkpoint is damaged.
    """
    place = run / CHECKPOINTS / f"{decisions:09d}"
    manifest = (place / MANIFEST).read_bytes()
    files = files_of(checked_manifest(manifest, str(place), decisions, identity), decisions)
    (run / OURS).mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{decisions:09d}-", dir=run / OURS))
    try:
        for path, entry in files.items():
            if there.get(path) != entry.sha256:
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                _link(run / path, folder / path)
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return Staged(decisions, folder, manifest, files)


def files_of(manifest: Mapping[str, object], decisions: int) -> dict[str, Entry]:
    """What a manifest lists, by places in a run."""
    listed = manifest["files"]
    assert isinstance(listed, dict)
    return {
        file_in_run(name, decisions): Entry(str(e["sha256"]), int(e["bytes"]))
        for name, e in listed.items()
    }


def clear(run: Path) -> None:
    """Remove what a trainer left that was killed."""
    for folder in (run / OURS).glob(f"{PREFIX}*"):
        shutil.rmtree(folder, ignore_errors=True)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:  # a file system without hard links
        shutil.copyfile(source, target)
