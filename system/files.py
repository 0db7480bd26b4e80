"""Files that are either whole or not there."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """Where to write what shall be at `path`: it is put there when it is whole, and removed when it is not.

    Raises:
        OSError: With `path` named, if the disk does not take it; what was at `path` is then still there.
    """
    aside = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        yield aside
        with aside.open("rb") as file:
            os.fsync(file.fileno())
        aside.replace(path)
    except OSError as e:
        raise OSError(e.errno, e.strerror or str(e), str(path)) from None
    finally:
        aside.unlink(missing_ok=True)
    sync_folder(path.parent)


def write_whole(path: Path, data: bytes) -> None:
    """Write aside, sync, rename: a reader sees the old file or the new one, never a part.

    Raises:
        OSError: If the disk does not take it; what was at `path` is then still there.
    """
    with written_aside(path) as aside:
        aside.write_bytes(data)


def replace_file(path: Path, data: bytes) -> None:
    """Put a file there whole, without waiting for the disk: for what is written again in a moment.

    Raises:
        OSError: If the disk does not take it.
    """
    aside = path.with_name(f".{path.name}.part")
    try:
        aside.write_bytes(data)
        aside.replace(path)
    except OSError:
        aside.unlink(missing_ok=True)
        raise


def check_file(path: Path) -> None:
    """Refuse a file that could not be written, before there is something to write.

    Raises:
        ValueError: Saying why.
    """
    try:
        if path.is_symlink() or (path.exists() and not path.is_file()):
            # A rename would replace it.
            raise FileExistsError(None, "it is there and no plain file")
        if path.exists() and not os.access(path, os.W_OK):
            raise PermissionError(None, "no permission")
        with tempfile.TemporaryFile(dir=path.parent):  # the only answer that holds for everybody
            pass
    except OSError as e:
        raise ValueError(f"cannot write to {path}: {e.strerror}") from None


def check_folder(folder: Path) -> None:
    """Refuse a folder that could not be made or written to.

    Raises:
        ValueError: Saying why.
    """
    there = next(p for p in (folder, *folder.parents) if p.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as e:
        raise ValueError(f"cannot write to {folder}: {e.strerror}") from None


def sync_folder(folder: Path) -> None:
    """Make renames in a folder last through a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256(data: bytes) -> str:
    """Hex digest."""
    return hashlib.sha256(data).hexdigest()
