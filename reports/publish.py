"""Publishes a run: measures its best weights on the test tracks and puts them into models/, with a card."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np

from agents.weights import WeightsError, read_card, repack
from evaluation.evaluation import evaluate, summarise
from evaluation.scores import read_episodes, write_episodes
from racing.episode import Episode
from racing.tracks import TEST
from system.csv_files import read_csv
from system.files import check_folder, write_whole
from system.progress import OnProgress
from training.runs.origin import processor
from training.runs.run_folder import BEST, VALIDATIONS, RunFolder, as_json


def publish(
    run: RunFolder,
    models: Path,
    results: Path,
    episodes: int,
    force: bool,
    on_progress: OnProgress,
) -> tuple[Path, list[Episode]]:
    """Measure a run's best weights and put them into `models`; everything is checked before anything is written.

    Args:
        run: The run.
        models: Folder for the weights and their card, as dqn.safetensors or ddqn.safetensors.
        results: Folder whose subfolder scores/ gets the episodes as CSV, one row each.
        episodes: Number of test tracks to measure on.
        force: Whether to replace published weights even if they scored better on the tracks that both drove. Published
            weights without scores in `results` are measured now.
        on_progress: Called with the number of episodes done and their total.

    Returns:
        The weight file, and the episodes that it was measured with.

    Raises:
        ValueError: If the run has no best weights, or they score lower than the weights that they would replace.
        OSError: If a file cannot be read or written, or the weights changed in the meantime.
    """
    weights = run.path / BEST
    card, measured = read_card(weights), weights.read_bytes()
    stem = str(card.get("agent", "")).lower()
    if not stem.isalnum():  # it becomes the name of a file
        raise WeightsError(f"{weights}: made by {stem!r}, which is not a script here")
    if not 1 <= episodes <= len(TEST):
        raise ValueError(f"episodes must be 1 to {len(TEST)}, got {episodes}")
    curve = read_csv(run.path / VALIDATIONS)
    scores = results / "scores" / f"{stem}.csv"
    for folder in (models, scores.parent):
        check_folder(folder)
    origin = run.origin()
    tracks = list(TEST[:episodes])
    tested = evaluate(str(weights), tracks, on_progress=on_progress)
    if weights.read_bytes() != measured:
        raise OSError(f"{weights} changed while it was measured: publish it when the run has ended")
    published = models / f"{stem}.safetensors"
    if published.exists() and not force:
        known = scores.exists()
        before = (
            read_episodes(scores)
            if known
            else evaluate(str(published), tracks, on_progress=on_progress)
        )
        check_not_worse(tested, before, stem)
    test = asdict(summarise(tested)) | {"processor": processor()}
    card |= {"origin": origin, "curve": curve, "test": test}
    for folder in (models, scores.parent):
        folder.mkdir(parents=True, exist_ok=True)
    write_whole(published, repack(weights, card))
    write_whole(models / f"{stem}.json", as_json(card))
    write_episodes(scores, tested)
    return published, tested


def check_not_worse(new: list[Episode], old: list[Episode], stem: str) -> None:
    """Check that new weights do not score lower, on the tracks that both drove or, without any, in the overall mean.

    Raises:
        ValueError: If they score lower.
    """
    before = {e.track: e.score for e in old}
    common = [e for e in new if e.track in before]
    if common:
        lost = float(np.mean([before[e.track] - e.score for e in common]))
        where = f"on the {len(common)} tracks that both drove"
    else:
        lost = float(np.mean([e.score for e in old]) - np.mean([e.score for e in new]))
        where = "on average"
    if lost > 0:
        raise ValueError(
            f"the published {stem} drives {lost:.1f} points better {where}; --force replaces it anyway"
        )
