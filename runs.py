#!/usr/bin/env python3
"""List, watch, compare and publish runs. RUN is -1 for the newest, an index, a part of a name, a glob or a path.

python runs.py list              list all runs and their states
python runs.py monitor [RUN]     watch a run train
python runs.py review [RUN]      write a report, as a page and as an image: curves, scores, test drives
python runs.py compare RUN...    show how settings and scores differ, and which differences are noise
python runs.py label RUN TEXT    label a run; the list shows the label
python runs.py clean [RUN...]    move checkpoints of finished runs to a trash folder; empty it
python runs.py export RUN...     write settings, scores and episodes as CSV or JSON
python runs.py verify RUN...     check the checksums of all checkpoints
python runs.py mirror RUN...     upload runs to object storage
python runs.py publish RUN       score its best weights on the test tracks and put them into models/
python runs.py record RUN...     keep the curves of finished runs in results/ and plot them
python runs.py record            plot the kept curves again
python runs.py export-model RUN  write a folder for Hugging Face: ONNX, weights, model card, an example
"""

from __future__ import annotations

import system.startup  # isort: skip  # noqa: F401

from pathlib import Path

import tyro

from system.exits import EXIT_FAILED, one_line_errors

HERE = Path(__file__).resolve().parent


def list_runs(
    *,
    runs: str = "runs",
    sort: str = "index",
    filter: str = "",
    json: bool = False,
    csv: bool = False,
) -> None:
    """List all runs and their states.

    Args:
        runs: Folder of all runs, or a mirror's URL.
        sort: Column to sort by; --sort=-COLUMN reverses the order.
        filter: COLUMN=VALUE: show only the runs with this value.
        json: Print JSON instead of a table.
        csv: Print CSV instead of a table.
    """
    with one_line_errors():
        from reports import run_list
        from training.mirror.runs import runs_at

        rows = run_list.rows_of(runs_at(runs).all(), sort, filter)
        run_list.show(rows, json, csv)


def monitor(
    run: tyro.conf.Positional[str] = "-1",
    /,
    runs: str = "runs",
    once: bool = False,
) -> None:
    """Watch a run: its scores and speed now and a minute ago, curves, time left, age of the last checkpoint.

    Args:
        run: The run; by default the newest.
        runs: Folder of all runs, or a mirror's URL, which implies --once.
        once: Print the figures once and exit.
    """
    with one_line_errors():
        from reports import monitor as monitoring
        from training.mirror.runs import runs_at
        from training.mirror.url import is_url

        monitoring.watch(runs_at(runs).resolve(run), once or is_url(runs))


def review(
    run: tyro.conf.Positional[str] = "-1",
    /,
    out: Path | None = None,
    maps: bool = True,
    runs: str = "runs",
) -> None:
    """Write a report on a run: review.html, a self-contained page, and review.png, in the run's folder.

    Args:
        run: The run; by default the newest.
        out: Folder to write to instead; created if necessary.
        maps: Drive the worst, the median and the best test track again and draw maps of them.
        runs: Folder of all runs, or a mirror's URL, which requires --out.
    """
    with one_line_errors():
        from reports import review as reviewing
        from training.mirror.runs import runs_at
        from training.mirror.url import is_url

        if is_url(runs) and out is None:
            raise ValueError("a mirror is only read: give --out for the page")
        print(*reviewing.review(runs_at(runs).resolve(run), out, maps), sep="\n")


def compare(
    run: tyro.conf.Positional[tuple[str, ...]],
    /,
    md: bool = False,
    out: Path | None = None,
    runs: Path = Path("runs"),
) -> None:
    """Compare runs, grouped by settings: what differs, the scores, and whether the differences are noise.

    Args:
        run: The runs.
        md: Print tables in Markdown.
        out: Also plot their learning curves to this PNG file.
        runs: Folder of all runs.
    """
    with one_line_errors():
        from reports import compare as comparing
        from training.runs.store import Runs

        found = comparing.compare(Runs(runs).matching_any(run))
        if out:
            comparing.write_figure(found, out)
        if md:
            print(found.markdown())
        else:
            found.show()


def label(
    run: tyro.conf.Positional[str], text: tyro.conf.Positional[str], /, runs: Path = Path("runs")
) -> None:
    """Label a run; the list shows the label.

    Args:
        run: The run.
        text: The label; an empty one removes it.
        runs: Folder of all runs.
    """
    with one_line_errors():
        from training.runs.label import write_label
        from training.runs.store import Runs

        write_label(Runs(runs).resolve(run), text)


def clean(
    run: tyro.conf.Positional[tuple[str, ...]] = (),
    /,
    runs: Path = Path("runs"),
    yes: bool = False,
    purge: bool = False,
) -> None:
    """Move checkpoints and replays of finished runs to RUNS/.trash, but never those of the newest or the best run.

    Args:
        run: The runs; by default all of them.
        runs: Folder of all runs.
        yes: Do it; otherwise only show what would be done.
        purge: Empty the trash instead.
    """
    with one_line_errors():
        from reports import cleaning

        if purge and run:
            raise ValueError("--purge empties the whole trash and takes no runs")
        if purge:
            cleaning.empty_trash(runs, yes)
        else:
            cleaning.clean(runs, run, yes)


def export(
    run: tyro.conf.Positional[tuple[str, ...]],
    /,
    out: Path | None = None,
    runs: Path = Path("runs"),
    json: bool = False,
    track: str = "",
) -> None:
    """Write the settings, scores and episodes of runs as CSV files or one JSON file, or send their curves to a tracker.

    Args:
        run: The runs.
        out: Folder for the tables.
        runs: Folder of all runs.
        json: Write one runs.json instead of a CSV file per table.
        track: Send their curves to wandb or trackio.
    """
    with one_line_errors():
        from reports.export import export as write_tables
        from reports.track_export import check_tracker, hand_on
        from training.runs.store import Runs

        if bool(out) == bool(track):
            raise ValueError("give a destination: --out FOLDER or --track wandb (or trackio)")
        if track:
            check_tracker(track)
        found = Runs(runs).matching_any(run)
        if out:
            print(*write_tables(found, out, json), sep="\n")
        for one in found if track else ():
            print(f"{one.path}: {hand_on(one, track)} points", flush=True)


def verify(run: tyro.conf.Positional[tuple[str, ...]], /, runs: str = "runs") -> None:
    """Check the checksums of all checkpoints; exit code 1 if one is damaged.

    Args:
        run: The runs.
        runs: Folder of all runs, or a mirror's URL; then every file is downloaded, but not kept.
    """
    with one_line_errors():
        from system.progress import progress
        from training.mirror import runs as places

        found = places.runs_at(runs).matching_any(run)
        problems = []
        for each in found:
            with progress(f"checking {each.shown}", "checkpoints") as on_progress:
                problems += places.verify(each, on_progress)
        print(*problems, sep="\n", end="\n" if problems else "")
        print(f"{len(found)} runs, {len(problems)} problems")
    raise SystemExit(EXIT_FAILED if problems else 0)


def mirror(
    run: tyro.conf.Positional[tuple[str, ...]],
    /,
    to: str = "",
    runs: Path = Path("runs"),
) -> None:
    """Upload runs that are not training to a mirror: the last checkpoint and all small files.

    Args:
        run: The runs.
        to: The mirror's URL; by default the run's own --mirror-to.
        runs: Folder of all runs.
    """
    with one_line_errors():
        from training.mirror.place import mirror_now
        from training.runs.store import Runs
        from training.tracking.lines import Lines

        problems = 0
        for each in Runs(runs).matching_any(run):
            url = to or each.config()["mirror_to"]
            if not url:
                raise ValueError(f"{each.path} has no mirror: give one with --to")
            if mirror_now(each, url, Lines()):
                problems += 1
            else:
                print(f"{url.rstrip('/')}/{each.full_name} has everything")
    raise SystemExit(EXIT_FAILED if problems else 0)


def publish(
    run: tyro.conf.Positional[str],
    /,
    episodes: int = 100,
    force: bool = False,
    runs: Path = Path("runs"),
    models: Path = HERE / "models",
    results: Path = HERE / "results",
) -> None:
    """Score a run's best weights on the test tracks and put them into models/ with a card.

    Args:
        run: The run.
        episodes: Number of test tracks to drive.
        force: Replace published weights even if they scored higher.
        runs: Folder of all runs.
        models: Folder for the weights, dqn.safetensors or ddqn.safetensors.
        results: Folder for the episodes, one row each.
    """
    with one_line_errors():
        from evaluation.evaluation import summary_line
        from reports import publish as publishing
        from system.progress import progress
        from training.runs.store import Runs

        with progress(f"driving with {run}", "test tracks") as on_progress:
            path, tested = publishing.publish(
                Runs(runs).resolve(run), models, results, episodes, force, on_progress
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
    """Keep the scores of finished runs in results/runs/, and update the tables and the plot of learning curves.

    Args:
        run: Finished runs, which have a test.csv; none: only update the tables and the plot.
        label: Name for runs whose settings are not the defaults, so that they form a group of their own; by default the
            name of the run's preset.
        runs: Folder of all runs.
        results: Folder to keep the scores in.
        page: Page to write the tables to, between their markers.
        picture: File to write the plot to.
    """
    with one_line_errors():
        from reports import record as recording
        from training.runs.store import Runs

        found = Runs(runs).matching_any(run)
        recording.record(found, results, page, picture, label)


def export_model(
    run: tyro.conf.Positional[str],
    /,
    out: Path | None = None,
    runs: Path = Path("runs"),
) -> None:
    """Write a folder to share: the network as ONNX, its weights, a model card, and an example that drives it.

    Args:
        run: The run, or a weight file.
        out: The folder, which must not exist yet; by default exports/NAME.
        runs: Folder of all runs.
    """
    with one_line_errors():
        from reports import model_export
        from system.progress import progress
        from training.runs.store import Runs

        wanted = Path(run) if run.endswith(".safetensors") else Runs(runs).resolve(run)
        with progress("comparing ONNX with TensorFlow", "test tracks") as on_progress:
            folder, same = model_export.export_model(wanted, out, on_progress=on_progress)
        print(
            f"{folder}: the same action in all {same.decisions:,} decisions of {same.episodes} episodes;"
            f" values differ by {same.largest_error:.1g} at most"
        )


if __name__ == "__main__":
    tyro.extras.subcommand_cli_from_dict(
        {
            "list": list_runs,
            "monitor": monitor,
            "review": review,
            "compare": compare,
            "label": label,
            "clean": clean,
            "export": export,
            "verify": verify,
            "mirror": mirror,
            "publish": publish,
            "record": record,
            "export-model": export_model,
        }
    )
