"""Hard links to a checkpoint's files, which preserve them until they have been uploaded."""

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
    """A file of a checkpoint, as listed in its manifest.

    Attributes:
        sha256: SHA-256 of the content, as hex.
        size: Size in bytes.
    """

    sha256: str
    size: int


@dataclass(frozen=True)
class Staged:
    """A checkpoint whose files stay available and unchanged until `remove`.

    Attributes:
        decisions: Decisions of the checkpoint.
        folder: Folder with links to its files, laid out like the run's folder.
        manifest: Content of its manifest.json.
        files: All of its files except the manifest, by their paths within the run.
    """

    decisions: int
    folder: Path
    manifest: bytes
    files: Mapping[str, Entry]

    def remove(self) -> None:
        """Delete the links."""
        shutil.rmtree(self.folder, ignore_errors=True)


def stage(run: Path, identity: str, decisions: int, there: Mapping[str, str]) -> Staged:
    """Link the files of a checkpoint into a folder of their own, or copy them where hard links are not supported.

    Args:
        run: Folder of the run.
        identity: Identity of the run, as in its manifests.
        decisions: Decisions of the checkpoint.
        there: SHA-256 of the files that the mirror already has, by their paths within the run; these are not linked.

    Raises:
        OSError: If a file cannot be linked or copied; the folder is then removed.
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
    """Return the files that a manifest lists, by their paths within the run."""
    listed = manifest["files"]
    assert isinstance(listed, dict)
    return {
        file_in_run(name, decisions): Entry(str(e["sha256"]), int(e["bytes"]))
        for name, e in listed.items()
    }


def clear(run: Path) -> None:
    """Remove staged checkpoints that a killed trainer left behind."""
    for folder in (run / OURS).glob(f"{PREFIX}*"):
        shutil.rmtree(folder, ignore_errors=True)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:  # a file system without hard links
        shutil.copyfile(source, target)
