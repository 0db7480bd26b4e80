"""Work with finished runs.

python runs.py publish runs/DDQN/NAME     measure its best weights on the test tracks and put them into models/
python runs.py record runs/DDQN/*         keep the curves of finished runs in results/ and draw them
"""

from __future__ import annotations

import csv
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import tyro

from agents.weights import WeightsError, read_card, repack
from racing.tracks import TEST
from training.episode import read_episodes, write_episodes
from training.evaluation import evaluate, summarise, summary_line
from training.files import write_whole
from training.journal import BEST
from training.refusal import refuse
from training.report import learning_table, plot_learning, read_runs, write_block

HERE = Path(__file__).resolve().parent


def publish(
    run: tyro.conf.Positional[Path],
    /,
    episodes: int = 50,
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
        card = read_card(weights)
        stem = str(card["agent"]).lower()
        if not stem.isalnum():  # it becomes a file's name
            raise ValueError(f"{weights}: made by {stem!r}, which is no script")
        if not 1 <= episodes <= len(TEST):
            raise ValueError(f"episodes must be 1 to {len(TEST)}, got {episodes}")
        origin = json.loads((run / "origin.json").read_text())
        with (run / "validation.csv").open(newline="") as file:
            curve = list(csv.DictReader(file))
        tested = evaluate(str(weights), list(TEST[:episodes]))
    except (WeightsError, OSError, ValueError, KeyError) as e:
        refuse(e)
    card |= {"origin": origin, "curve": curve, "test": asdict(summarise(tested))}
    scores, curves = results / "scores", results / "curves"
    for folder in (models, scores, curves):
        folder.mkdir(parents=True, exist_ok=True)
    write_whole(models / f"{stem}.safetensors", repack(weights, card))
    write_whole(models / f"{stem}.json", _readable(card))
    write_episodes(scores / f"{stem}.csv", tested)
    print(summary_line(f"{models / stem}.safetensors", tested))


def record(
    runs: tyro.conf.Positional[tuple[Path, ...]], /, results: Path = HERE / "results"
) -> None:
    """Keep what finished runs scored in results/runs/, and write the README's table and plot of it.

    Args:
        runs: Folders of runs, each with the test.csv that a run ends with.
        results: Where to keep it.
    """
    try:
        for run in runs:
            config = json.loads((run / "config.json").read_text())
            origin = json.loads((run / "origin.json").read_text())
            read_episodes(run / "test.csv")
            kept = results / "runs" / f"{origin['agent'].lower()}-seed{config['seed']}"
            kept.mkdir(parents=True, exist_ok=True)
            for name in ("config.json", "origin.json", "validation.csv", "test.csv"):
                write_whole(kept / name, (run / name).read_bytes())
        curves = read_runs(results / "runs")
        write_block(HERE / "README.md", "learning", learning_table(curves))
        plot_learning(curves, HERE / "imgs" / "learning.png")
    except (OSError, ValueError, KeyError) as e:
        refuse(e)


def _readable(card: dict[str, Any]) -> bytes:
    return (json.dumps(card, indent=1) + "\n").encode()


if __name__ == "__main__":
    tyro.extras.subcommand_cli_from_dict({"publish": publish, "record": record})
