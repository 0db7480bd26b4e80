"""Files that a command writes again and again: over what it made itself, never over anything else."""

from __future__ import annotations

from pathlib import Path

from system.files import check_file

HEAD = 4096  # bytes, in which the mark is


def refuse_others(path: Path, mark: str) -> None:
    """Refuse a file that could not be written, or that somebody else made.

    Args:
        path: To be written.
        mark: What the head of every file of this kind contains.

    Raises:
        ValueError: Saying why.
    """
    check_file(path)
    if path.exists():
        with path.open("rb") as file:
            if mark.encode() not in file.read(HEAD):
                raise ValueError(
                    f"{path} is there, and {mark} did not make it: choose another --out"
                )
