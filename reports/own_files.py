"""Files that a command writes again and again: over what it made itself, never over anything else."""

from __future__ import annotations

from pathlib import Path

from system.files import check_file

HEAD = 4096  # bytes, in which the mark is


def check_own_file(path: Path, mark: str) -> None:
    """Check that a file can be written, and that no other program made it.

    Args:
        path: To be written.
        mark: What the head of every file of this kind contains.

    Raises:
        ValueError: If not, with the reason.
    """
    check_file(path)
    if path.exists():
        with path.open("rb") as file:
            if mark.encode() not in file.read(HEAD):
                raise ValueError(f"{path} exists, and {mark} did not make it: choose another --out")
