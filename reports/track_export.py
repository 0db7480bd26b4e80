"""Sends the curves of ended runs, from their TensorBoard files, to an experiment tracker."""

from __future__ import annotations

from reports.events import read_scalars
from system.extras import require
from training.runs.run_folder import RunFolder
from training.settings import TRACKERS
from training.tracking.points import Points, Row
from training.tracking.tracker_process import hand_on_run

POINTS = 400  # per curve, at most
AS_THEY_ARE = "driving/"  # prefix of curves with few points, which are not averaged


def check_tracker(package: str) -> None:
    """Check that a tracker is known and installed.

    Raises:
        ValueError: If not; the message says which.
    """
    if package not in TRACKERS:
        raise ValueError(f"track must be {' or '.join(TRACKERS)}, got {package!r}")
    require(package, package)


def hand_on(run: RunFolder, package: str) -> int:
    """Send the curves of a run, except points that were sent before.

    Args:
        run: A run that is not being trained.
        package: The tracker's module.

    Returns:
        The number of points sent.

    Raises:
        ValueError: If the run is being trained, has no curves, or a file is damaged.
    """
    if run.is_locked():
        raise ValueError(f"{run.path} is being trained: `--track` sends its curves during training")
    rows = rows_of(run)
    if not rows:
        raise ValueError(f"{run.path} has no curves")
    return hand_on_run(package, run.path, run.config(), rows, run.is_finished())


def rows_of(run: RunFolder) -> list[tuple[int, Row]]:
    """Read a run's curves as rows by decisions: means over spans; scores of validations are not averaged.

    Raises:
        ValueError: If a file is damaged.
    """
    by_step: dict[int, list[tuple[str, float]]] = {}
    for tag, curve in read_scalars(run.path).items():
        for decisions, value in curve:
            by_step.setdefault(int(decisions), []).append((tag, float(value)))
    points = Points(max(by_step, default=0) // POINTS)
    for decisions in sorted(by_step):
        for tag, value in by_step[decisions]:
            take = points.put if tag.startswith(AS_THEY_ARE) else points.add
            take(decisions, {tag: value})
    points.close_span()
    return points.take()
