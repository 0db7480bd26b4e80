"""Work with runs. RUN is -1 for the newest, an index, a part of a name, a glob or a path.

python runs.py publish RUN       measure its best weights on the test tracks and put them into models/
python runs.py record RUN...     keep the curves of finished runs in results/ and draw them
python runs.py record            draw what is kept again
"""

from __future__ import annotations

import system.startup  # isort: skip  # noqa: F401

from pathlib import Path

import tyro

from system.exits import one_line_errors

HERE = Path(__file__).resolve().parent


def publish(
    run: tyro.conf.Positional[str],
    /,
    episodes: int = 100,
    force: bool = False,
    runs: Path = Path("runs"),
    models: Path = HERE / "models",
    results: Path = HERE / "results",
) -> None:
    """Measure a run's best weights on the test tracks and put them into models/ with a card.

    Args:
        run: The run.
        episodes: Test tracks to measure on.
        force: Also replace published weights that drove better.
        runs: Folder of all runs.
        models: Where the weights go, as dqn.safetensors or ddqn.safetensors.
        results: Where the episodes go, one row each.
    """
    with one_line_errors():
        from evaluation.evaluation import summary_line
        from reports import publish as publishing
        from system.progress import progress
        from training.runs.store import Runs

        with progress(f"driving with {run}", "test tracks") as tell:
            path, tested = publishing.publish(
                Runs(runs).resolve(run), models, results, episodes, force, tell
            )
        print(summary_line(str(path), tested))


def record(
    run: tyro.conf.Positional[tuple[str, ...]],
    /,
    label: str = "",
    runs: Path = Path("runs"),
    results: Path = HERE / "results",
    page: Path = HERE / "docs" / "results.md",
    picture: Path = HERE / "imgs" / "learning.png",
) -> None:
    """Keep what finished runs scored in results/runs/, and write the tables and the plot of it.

    Args:
        run: Runs, each with the test.csv that a run ends with.
        label: What runs with other settings than the defaults are called, so that they count apart from the others'
            seeds; the name of a run's preset if not given.
        runs: Folder of all runs.
        results: Where to keep it.
        page: Where the tables go, between their markers.
        picture: Where the plot goes.
    """
    with one_line_errors():
        from reports import record as recording
        from training.runs.store import Runs

        found = [r for wanted in run for r in Runs(runs).matching(wanted)]
        recording.record(found, results, page, picture, label)


if __name__ == "__main__":
    tyro.extras.subcommand_cli_from_dict({"publish": publish, "record": record})
