"""Atomic file writes: a file is either complete or does not appear."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """Yield a temporary path to write to; at the end of the block, it is synced and renamed to `path`.

    If the block raises an error, the temporary file is removed.

    Raises:
        OSError: If it cannot be written; the error names `path`, whose previous content is then unchanged.
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
    """Write a file atomically and durably (temporary file, fsync, rename): readers see the old content or the new one.

    Raises:
        OSError: If it cannot be written; the previous content of `path` is then unchanged.
    """
    with written_aside(path) as aside:
        aside.write_bytes(data)


def replace_file(path: Path, data: bytes) -> None:
    """Replace a file atomically, but without fsync: for files that are rewritten every few seconds.

    Raises:
        OSError: If it cannot be written.
    """
    aside = path.with_name(f".{path.name}.part")
    try:
        aside.write_bytes(data)
        aside.replace(path)
    except OSError:
        aside.unlink(missing_ok=True)
        raise


def check_file(path: Path) -> None:
    """Check early that a file can be written.

    Raises:
        ValueError: If it cannot, or if something other than a plain file has this path; the message says why.
    """
    try:
        if path.is_symlink() or (path.exists() and not path.is_file()):
            # The rename would replace a symbolic link, pipe or device.
            raise FileExistsError(None, "it exists and is not a plain file")
        if path.exists() and not os.access(path, os.W_OK):
            raise PermissionError(None, "no permission")
        # os.access is not reliable for root, or on NFS.
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as e:
        raise ValueError(f"cannot write to {path}: {e.strerror}") from None


def check_folder(folder: Path) -> None:
    """Check early that a folder can be created or, if it exists, written to.

    Raises:
        ValueError: If not; the message says why.
    """
    there = next(p for p in (folder, *folder.parents) if p.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as e:
        raise ValueError(f"cannot write to {folder}: {e.strerror}") from None


def sync_folder(folder: Path) -> None:
    """Sync a folder, so that renames in it survive a power failure."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256(data: bytes) -> str:
    """Return the SHA-256 of data as a hex string."""
    return hashlib.sha256(data).hexdigest()
