"""Labels: a line of one's own about a run, in a file beside its others, so that a living trainer is not disturbed."""

from __future__ import annotations

import contextlib

from system.files import write_whole
from training.runs.names import RunError
from training.runs.run_folder import RunFolder

LABEL = "label.txt"
LONGEST = 100  # characters


def read_label(run: RunFolder) -> str:
    """The label of a run; empty if it has none."""
    with contextlib.suppress(OSError, ValueError):
        return (run.path / LABEL).read_text(encoding="utf-8").strip()[:LONGEST]
    return ""


def write_label(run: RunFolder, text: str) -> None:
    """Label a run, over the label that it had; an empty one takes it away.

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
