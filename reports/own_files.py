"""Files that a command may overwrite: only those that it wrote itself, which it recognises by a mark."""

from __future__ import annotations

from pathlib import Path

from system.files import check_file

HEAD = 4096  # bytes at the beginning of a file, which contain the mark


def check_own_file(path: Path, mark: str) -> None:
    """Check that a file can be written, and that an existing file was written by the same command.

    Args:
        path: The file to be written.
        mark: Text that the first HEAD bytes of every file from this command contain.

    Raises:
        ValueError: If not; the message says why.
    """
    check_file(path)
    if path.exists():
        with path.open("rb") as file:
            if mark.encode() not in file.read(HEAD):
                raise ValueError(f"{path} exists, and {mark} did not make it: choose another --out")
