"""Labels: a line of text about a run, in a file of its own, so that a running trainer is not disturbed."""

from __future__ import annotations

import contextlib

from system.files import write_whole
from training.runs.names import RunError
from training.runs.run_folder import RunFolder

LABEL = "label.txt"
LONGEST = 100  # characters


def read_label(run: RunFolder) -> str:
    """Return the label of a run; empty if it has none."""
    with contextlib.suppress(OSError, ValueError):
        return (run.path / LABEL).read_text(encoding="utf-8").strip()[:LONGEST]
    return ""


def write_label(run: RunFolder, text: str) -> None:
    """Label a run, replacing its label; an empty text removes it.

    Raises:
        RunError: If it is not one line of at most 100 characters.
        OSError: If it cannot be written.
    """
    if len(text) > LONGEST or not text.isprintable():
        raise RunError(f"a label is one line of at most {LONGEST} characters, got {text!r}")
    if text.strip():
        write_whole(run.path / LABEL, (text.strip() + "\n").encode())
    else:
        (run.path / LABEL).unlink(missing_ok=True)
