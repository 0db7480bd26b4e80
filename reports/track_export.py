"""Runs that are over, handed on to a tracker: the curves of their TensorBoard files."""

from __future__ import annotations

from reports.events import read_scalars
from system.extras import require
from training.runs.run_folder import RunFolder
from training.settings import TRACKERS
from training.tracking.points import Points, Row
from training.tracking.tracker_process import hand_on_run

POINTS = 400  # of a curve at most
AS_THEY_ARE = "driving/"  # curves with few points


def check_tracker(package: str) -> None:
    """Refuse what is no tracker, or is not installed.

    Raises:
        ValueError: Saying which.
    """
    if package not in TRACKERS:
        raise ValueError(f"track must be {' or '.join(TRACKERS)}, got {package!r}")
    require(package, package)


def hand_on(run: RunFolder, package: str) -> int:
    """Hand a run's curves on; what the tracker has already is left out.

    Args:
        run: That nobody trains now.
        package: The tracker's module.

    Returns:
        The number of points.

    Raises:
        ValueError: If it is being trained, has no curves, or a file is damaged.
    """
    if run.is_locked():
        raise ValueError(f"{run.path} is being trained: `--track` hands its curves on meanwhile")
    rows = rows_of(run)
    if not rows:
        raise ValueError(f"{run.path} has no curves")
    return hand_on_run(package, run.path, run.config(), rows, run.is_finished())


def rows_of(run: RunFolder) -> list[tuple[int, Row]]:
    """Values by decisions: means over spans, scores as they are.

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
