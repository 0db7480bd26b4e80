"""Work with finished runs.

python runs.py publish runs/DDQN/NAME     measure its best weights on the test tracks and put them into models/
python runs.py record runs/DDQN/*         keep the curves of finished runs in results/ and draw them
python runs.py record                     draw what is kept again
"""

from __future__ import annotations

import system.startup  # isort: skip  # noqa: F401

import csv
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import tyro

from agents.weights import WeightsError, read_card, repack
from evaluation.evaluation import evaluate, summarise, summary_line
from evaluation.scores import write_episodes
from racing.tracks import TEST
from reports.curves import folder_name, read_peer, read_runs
from reports.learning_report import learning_table, plot_learning
from reports.report import write_block
from system.exits import EXIT_FAILED, refuse
from system.files import check_folder, sha256, write_whole
from training.runs.origin import processor
from training.runs.run_folder import BEST, RunFolder

HERE = Path(__file__).resolve().parent
KEPT = ("config.json", "origin.json", "episodes.csv", "validation.csv", "test.csv")


def publish(
    run: tyro.conf.Positional[Path],
    /,
    episodes: int = 100,
    models: Path = HERE / "models",
    results: Path = HERE / "results",
) -> None:
    """Measure a run's best weights on the test tracks and put them into models/ with a card.

    Args:
        run: Folder of the run.
        episodes: Test tracks to measure on.
        models: Where the weights go, as dqn.safetensors or ddqn.safetensors.
        results: Where the episodes go, one row each.
    """
    weights = run / BEST
    try:
        card, measured = read_card(weights), weights.read_bytes()
        stem = str(card["agent"]).lower()
        if not stem.isalnum():  # it becomes a file's name
            raise ValueError(f"{weights}: made by {stem!r}, which is no script")
        if not 1 <= episodes <= len(TEST):
            raise ValueError(f"episodes must be 1 to {len(TEST)}, got {episodes}")
        origin = json.loads((run / "origin.json").read_text())
        with (run / "validation.csv").open(newline="") as file:
            curve = list(csv.DictReader(file))
        scores = results / "scores"
        for folder in (models, scores):
            check_folder(folder)
    except (WeightsError, OSError, ValueError) as e:
        refuse(e)
    except KeyError as e:
        refuse(f"{weights}: its card has no {e}")
    try:
        tested = evaluate(str(weights), list(TEST[:episodes]))
        if weights.read_bytes() != measured:
            raise OSError(
                f"{weights} changed while it was measured: publish it when the run has ended"
            )
        test = asdict(summarise(tested)) | {"processor": processor()}
        card |= {"origin": origin, "curve": curve, "test": test}
        for folder in (models, scores):
            folder.mkdir(parents=True, exist_ok=True)
        write_whole(models / f"{stem}.safetensors", repack(weights, card))
        write_whole(models / f"{stem}.json", _readable(card))
        write_episodes(scores / f"{stem}.csv", tested)
    except ValueError as e:
        refuse(e)
    except OSError as e:
        refuse(e, EXIT_FAILED)
    print(summary_line(f"{models / stem}.safetensors", tested))


def record(
    runs: tyro.conf.Positional[tuple[Path, ...]],
    /,
    label: str = "",
    results: Path = HERE / "results",
    page: Path = HERE / "README.md",
    picture: Path = HERE / "imgs" / "learning.png",
) -> None:
    """Keep what finished runs scored in results/runs/, and write the README's tables and plot of it.

    Args:
        runs: Folders of runs, each with the test.csv that a run ends with.
        label: What runs with other settings than the defaults are called, so that they count apart from the others'
            seeds; the name of a run's preset if not given.
        results: Where to keep it.
        page: Where the tables go, between their markers.
        picture: Where the plot goes.
    """
    kept = results / "runs"
    try:
        added = {_kept_as(run, label): run for run in runs}
        if len(added) < len(runs):
            raise ValueError("two of these runs are of the same agent and seed")
        before = {folder.name: folder for folder in kept.glob("*/") if folder.is_dir()}
        curves, peer = read_runs(before | added), read_peer(results)
        content = {kept / n / f: (run / f).read_bytes() for n, run in added.items() for f in KEPT}
        png = plot_learning(curves, peer)
    except KeyError as e:
        refuse(f"not a finished run: there is no {e}")
    except (OSError, ValueError) as e:
        refuse(e)
    try:
        for path, data in content.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, data)
        write_block(page, "learning", learning_table(curves, peer))
        write_whole(picture, png)
    except ValueError as e:
        refuse(e)
    except OSError as e:
        refuse(e, EXIT_FAILED)


def _kept_as(run: Path, label: str) -> str:
    """Its name in results/runs/.

    Raises:
        ValueError: If its test is missing, or was of other weights than its best ones: it went on since.
    """
    folder = RunFolder(run)
    config, origin = folder.config(), folder.origin()
    if origin.get("tested") != sha256((run / BEST).read_bytes()):
        raise ValueError(f"{run}: its best weights have not driven the test tracks")
    label = label or ("" if config["preset"] == "default" else config["preset"])
    return folder_name(origin["agent"], label, config["seed"])


def _readable(card: dict[str, Any]) -> bytes:
    return (json.dumps(card, indent=1) + "\n").encode()


if __name__ == "__main__":
    tyro.extras.subcommand_cli_from_dict({"publish": publish, "record": record})
