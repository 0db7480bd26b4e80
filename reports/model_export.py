"""Exports a driver as a folder that can be used without this program: ONNX, weights, model card, an example script.

The export succeeds only if the ONNX file chooses the same action as the network at every decision of whole episodes.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.network import weights_of
from agents.onnx_graph import INPUT, OUTPUT, onnx_model
from agents.weights import network_from, read_card, unpack
from evaluation.drivers import Driver, load_driver
from evaluation.evaluation import summarise
from evaluation.scores import read_episodes
from evaluation.split import PLACES
from racing.driving import drive_together
from racing.simulator import TIME_LIMIT_FRAMES
from racing.tracks import TEST
from racing.world import World
from reports.model_card import model_card
from system.extras import require
from system.files import check_folder, sync_folder, write_whole
from system.progress import OnProgress, no_progress
from training.runs.run_folder import BEST, TESTS, RunFolder, as_json

TRACKS = list(TEST[:PLACES])
EXAMPLE = Path(__file__).with_name("drive_onnx.py")


@dataclass(frozen=True)
class Agreement:
    """How well two networks agree on the observations of whole episodes.

    Attributes:
        episodes: Number of episodes.
        decisions: Number of decisions in all episodes.
        different: Number of decisions at which the networks' best actions differ.
        largest_error: Largest difference between the two values of an action.
        largest_loss: How much less, at most, the second network's action is worth than the best one, by the values of
            the first network.
    """

    episodes: int
    decisions: int
    different: int
    largest_error: float
    largest_loss: float


def export_model(
    wanted: Path | RunFolder,
    folder: Path | None = None,
    tracks: Sequence[int] = TRACKS,
    on_progress: OnProgress = no_progress,
) -> tuple[Path, Agreement]:
    """Write the folder, complete or not at all.

    Args:
        wanted: A weight file, or a run, whose best weights are exported.
        folder: The folder to create; by default `exports/` plus the name of the weights or the run.
        tracks: Reset seeds of the episodes, with different positions in a batch (see `evaluation.split`).
        on_progress: Called with the number of episodes driven, which may be a fraction, and their total.

    Returns:
        The folder, and how well ONNX and TensorFlow agree.

    Raises:
        ValueError: If a package is missing, the weights cannot be used, the folder exists, or the ONNX file chooses
            other actions.
        OSError: If the folder cannot be written, or the weights changed in the meantime.
    """
    require("onnx", "onnx", "onnxruntime")
    weights = wanted.path / BEST if isinstance(wanted, RunFolder) else wanted
    folder = folder or Path("exports") / _name(wanted)
    if os.path.lexists(folder):
        raise ValueError(f"{folder} exists: choose another --out")
    check_folder(folder.parent)
    card = read_card(weights) | _tested(wanted)
    data = weights.read_bytes()
    readme_of = model_card(folder.name, card)  # raises an error if the card lacks something
    driver, network = load_driver(str(weights)), unpack(weights)[0]
    stack, height, width = card["observation"]
    model = onnx_model(
        network_from(card["network"]),
        (stack, height, width),
        card["actions"],
        weights_of(network),
    )
    agreement = compare(driver, model, tracks, on_progress)
    if agreement.different:
        raise ValueError(
            f"{weights}: as ONNX it takes another action in {agreement.different} of"
            f" {agreement.decisions} decisions, worth at most {agreement.largest_loss:.2g} less; nothing was written"
        )
    if weights.read_bytes() != data:
        raise OSError(f"{weights} changed in the meantime: export it when the run has ended")
    files = {
        "model.onnx": model,
        "model.safetensors": data,
        "card.json": as_json(card),
        "drive.py": EXAMPLE.read_bytes(),
        "README.md": readme_of(agreement.episodes, agreement.decisions).encode(),
    }
    _write_folder(folder, files)
    return folder, agreement


def _name(wanted: Path | RunFolder) -> str:
    if isinstance(wanted, RunFolder):
        return f"{wanted.agent.lower()}-{wanted.path.name}"
    return wanted.stem


def _tested(wanted: Path | RunFolder) -> dict[str, Any]:
    """Return the test result of a finished run for the card; published weights already have it in their card."""
    if isinstance(wanted, RunFolder) and wanted.is_finished():
        return {"test": asdict(summarise(read_episodes(wanted.path / TESTS)))}
    return {}


def compare(
    driver: Driver,
    model: bytes,
    tracks: Sequence[int],
    on_progress: OnProgress = no_progress,
) -> Agreement:
    """Drive whole episodes with the official camera, and evaluate both networks at every decision.

    Args:
        driver: A driver with a network, which drives.
        model: The ONNX file, evaluated for one observation at a time.
        tracks: Reset seeds, with different positions in a batch.
        on_progress: Called with the number of episodes driven, which may be a fraction, and their total.
    """
    import onnxruntime

    assert driver.network is not None
    network = driver.network
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, ["CPUExecutionProvider"])
    decisions, different, error, loss = 0, 0, 0.0, 0.0

    def act(observations: NDArray[np.uint8], cars: list[int]) -> NDArray[np.int64]:
        nonlocal decisions, different, error, loss
        ours = network.values(observations, [tracks[i] for i in cars])  # [n, A]
        theirs = np.concatenate([session.run([OUTPUT], {INPUT: o[None]})[0] for o in observations])
        best: NDArray[np.int64] = ours.argmax(axis=1)
        chosen = theirs.argmax(axis=1)
        rows = np.arange(len(cars))
        decisions += len(cars)
        different += int((best != chosen).sum())
        error = max(error, float(np.abs(ours - theirs).max()))
        loss = max(loss, float((ours[rows, best] - ours[rows, chosen]).max()))
        return best

    worlds = [World(driver.world, "official") for _ in tracks]
    for _ in drive_together(worlds, tracks, act):
        driven = [TIME_LIMIT_FRAMES if w.end_reason else w.simulator.frames for w in worlds]
        on_progress(sum(driven) / TIME_LIMIT_FRAMES, len(tracks))
    return Agreement(len(tracks), decisions, different, error, loss)


def _write_folder(folder: Path, files: dict[str, bytes]) -> None:
    """Write all files into a new folder, atomically."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=".new-", dir=folder.parent))
    try:
        aside.chmod(0o755)
        for name, data in files.items():
            write_whole(aside / name, data)
        aside.rename(folder)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    sync_folder(folder.parent)
