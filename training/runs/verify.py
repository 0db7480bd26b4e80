"""Verifies the checksums of a run."""

from __future__ import annotations

from training.runs.checkpoint import Checkpoints
from training.runs.run_folder import BEST, CHECKPOINTS, RunFolder


def verify_run(run: RunFolder) -> list[str]:
    """Return the problems of a run's checkpoints, and of its best weights if they drove the test tracks."""
    return Checkpoints(run.path / CHECKPOINTS, run.identity()).problems() + problems_of_best(run)


def problems_of_best(run: RunFolder) -> list[str]:
    """Return the problem of a run's best weights, if they drove the test tracks and are no longer what they were."""
    if run.origin().get("tested") is not None and not run.is_finished():
        return [f"{run.shown}/{BEST}: missing, or not the weights that drove the test tracks"]
    return []
