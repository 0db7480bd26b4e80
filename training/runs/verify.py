"""Verifies the checksums of a run."""

from __future__ import annotations

from training.runs.checkpoint import Checkpoints
from training.runs.run_folder import BEST, CHECKPOINTS, RunFolder


def verify_run(run: RunFolder) -> list[str]:
    """Return the problems of a run's checkpoints, and of its best weights if they drove the test tracks."""
    found = Checkpoints(run.path / CHECKPOINTS, run.identity()).problems()
    if run.origin().get("tested") is not None and not run.is_finished():
        found.append(f"{run.path / BEST}: missing, or not the weights that drove the test tracks")
    return found
