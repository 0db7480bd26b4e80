"""TensorBoard's files, read back: what a run shows, and that a resumed run forgets what it makes again."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.hparams import metadata as hparams_metadata
from tensorboard.util import tensor_util
from training.tracking.events import FILM_SCALE, LAYOUT, EventLog

from tests.support.corridor import Run, drive_there
from tests.support.networks import OBSERVATION, small_network
from training.settings import RunSettings


def read(folder: Path) -> list[tuple[int, str, object]]:
    """Everything in a run's event files, in order: step, tag, value; graphs and hyperparameters as bytes."""
    found: list[tuple[int, str, object]] = []
    for path in sorted(folder.glob("events.out.tfevents.*"), key=lambda p: p.suffix):
        for event in EventFileLoader(str(path)).Load():
            if event.graph_def:
                found.append((event.step, "graph", event.graph_def))
            for value in event.summary.value:
                if value.metadata.plugin_data.plugin_name == hparams_metadata.PLUGIN_NAME:
                    content = value.metadata.plugin_data.content
                    start = hparams_metadata.parse_session_start_info_plugin_data(content)
                    found.append((event.step, value.tag, str(sorted(start.hparams.items()))))
                else:
                    array = tensor_util.make_ndarray(value.tensor)
                    found.append((event.step, value.tag, array.tolist()))
    return found


def plot_values(found: list[tuple[int, str, object]], tag: str) -> list[tuple[int, object]]:
    """Steps and values of one curve."""
    return [(step, value) for step, name, value in found if name == tag]


def test_a_run_says_what_it_is(tmp_path: Path) -> None:
    """Hyperparameters but for what may change on resume, the network's layers, the layout."""
    log = EventLog(tmp_path / "DDQN" / "a")
    log.describe({**vars(RunSettings(seed=5)), "convolutions": ((4, 3, 2),)}, small_network())
    log.close()
    found = read(tmp_path / "DDQN" / "a")
    [(_, hyperparameters)] = plot_values(found, hparams_metadata.SESSION_START_INFO_TAG)
    assert "('seed', number_value: 5" in str(hyperparameters)
    assert "('convolutions', string_value: \"((4, 3, 2),)\"" in str(hyperparameters)
    assert "'decisions'" not in str(hyperparameters)
    [(_, graph)] = plot_values(found, "graph")
    assert isinstance(graph, bytes)
    assert all(layer in graph for layer in (b"/conv_0", b"/dense_0", b"/value", b"/advantage"))
    [(_, layout)] = plot_values(found, "custom_scalars__config__")
    assert isinstance(layout, bytes)
    categories = layout_pb2.Layout.FromString(layout).category
    shown = {c.title: {chart.title for chart in c.chart} for c in categories}
    assert shown == {title: set(charts) for title, charts in LAYOUT.items()}


def test_a_film_plays_what_was_seen(tmp_path: Path) -> None:
    pictures = np.random.default_rng(0).integers(256, size=(5, *OBSERVATION[1:]), dtype=np.uint8)
    log = EventLog(tmp_path)
    log.film(40, "driving/film", pictures)
    log.close()
    [(step, value)] = plot_values(read(tmp_path), "driving/film")
    assert isinstance(value, list)
    width, height, data = value
    film = Image.open(io.BytesIO(data), formats=["gif"])
    assert (step, int(width), int(height)) == (40, *film.size)
    assert film.n_frames == len(pictures)  # type: ignore[attr-defined]
    for i, picture in enumerate(pictures):
        film.seek(i)
        shown = np.asarray(film.convert("L"))[::FILM_SCALE, ::FILM_SCALE]
        np.testing.assert_array_equal(shown, picture)


def test_every_chart_of_the_layout_has_its_curve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also: every curve goes on in step with the run's own tables."""
    drive_there(monkeypatch)
    run = Run(tmp_path, 960)
    run.train()
    found = read(tmp_path)
    tags = {tag for _, tag, _ in found}
    for charts in LAYOUT.values():
        assert {tag for curves in charts.values() for tag in curves} <= tags
    groups = sorted({tag.partition("/")[0] for tag in tags if "/" in tag})
    assert groups == ["_hparams_", "driving", "learning", "speed", "training"]
    rows = [row.split(",") for row in (tmp_path / "validation.csv").read_text().split()[1:]]
    curve = plot_values(found, "driving/score")
    assert [(str(step), round(float(str(value)), 2)) for step, value in curve] == [
        (row[0], float(row[3])) for row in rows
    ]
    episodes = (tmp_path / "episodes.csv").read_text().split()[1:]
    assert len(plot_values(found, "training/score")) == len(episodes) > 10


def test_what_was_logged_past_a_checkpoint_is_dropped(tmp_path: Path) -> None:
    log = EventLog(tmp_path)
    for step in (1, 2):
        log.scalars(step, {"training/score": step})
        kept = log.get_state()
    log.scalars(3, {"training/score": 33.0})
    log.close()

    again = EventLog(tmp_path)
    again.set_state(kept)
    again.scalars(3, {"training/score": 3.0})
    again.close()
    assert plot_values(read(tmp_path), "training/score") == [(1, 1.0), (2, 2.0), (3, 3.0)]
