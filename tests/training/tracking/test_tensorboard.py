"""TensorBoard's files, read back: what a run shows, and that a resumed run forgets what it makes again."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.hparams import metadata as hparams_metadata

from tests.support.corridor import ddqn, drive_there
from tests.support.networks import OBSERVATION, small_ddqn, small_network
from tests.support.outcome import curve, events
from training.settings import flat
from training.tracking.curves import FILM_SCALE
from training.tracking.tensorboard import LAYOUT, TensorBoardLog


def test_a_run_says_what_it_is(tmp_path: Path) -> None:
    """Hyperparameters but for what may change on resume, the network's layers, the layout."""
    log = TensorBoardLog(tmp_path / "DDQN" / "a")
    log.describe(flat(small_ddqn(seed=5).settings), small_network())
    log.close()
    found = events(tmp_path / "DDQN" / "a")
    [(_, hyperparameters)] = curve(found, hparams_metadata.SESSION_START_INFO_TAG)
    assert "('seed', number_value: 5" in str(hyperparameters)
    assert "('convolutions', string_value: \"((4, 3, 2),)\"" in str(hyperparameters)
    assert "'decisions'" not in str(hyperparameters)
    [(_, graph)] = curve(found, "graph")
    assert isinstance(graph, bytes)
    assert all(layer in graph for layer in (b"/conv_0", b"/dense_0", b"/value", b"/advantage"))
    [(_, layout)] = curve(found, "custom_scalars__config__")
    assert isinstance(layout, bytes)
    categories = layout_pb2.Layout.FromString(layout).category
    shown = {c.title: {chart.title for chart in c.chart} for c in categories}
    assert shown == {title: set(charts) for title, charts in LAYOUT.items()}


def test_a_film_plays_what_was_seen(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(256, size=(5, *OBSERVATION[1:]), dtype=np.uint8)
    log = TensorBoardLog(tmp_path)
    log.film(40, "driving/film", images)
    log.close()
    [(step, value)] = curve(events(tmp_path), "driving/film")
    assert isinstance(value, list)
    width, height, data = value
    film = Image.open(io.BytesIO(data), formats=["gif"])
    assert (step, int(width), int(height)) == (40, *film.size)
    assert film.n_frames == len(images)  # type: ignore[attr-defined]
    for i, image in enumerate(images):
        film.seek(i)
        shown = np.asarray(film.convert("L"))[::FILM_SCALE, ::FILM_SCALE]
        np.testing.assert_array_equal(shown, image)


def test_every_chart_of_the_layout_has_its_curve(tmp_path: Path) -> None:
    """Also: every curve goes on in step with the run's own tables."""
    run = drive_there(ddqn(tmp_path, decisions=480, validate_every=240)).run
    found = events(run)
    tags = {tag for _, tag, _ in found}
    for charts in LAYOUT.values():
        assert {tag for curves in charts.values() for tag in curves} <= tags
    groups = sorted({tag.partition("/")[0] for tag in tags if "/" in tag})
    assert groups == ["_hparams_", "driving", "learning", "speed", "training"]
    rows = [row.split(",") for row in (run / "validation.csv").read_text().split()[1:]]
    assert len(rows) == 2
    assert [(str(step), round(float(str(v)), 2)) for step, v in curve(found, "driving/score")] == [
        (row[0], float(row[3])) for row in rows
    ]
    episodes = (run / "episodes.csv").read_text().split()[1:]
    assert len(curve(found, "training/score")) == len(episodes) > 10
    learned = [step for step, _ in curve(found, "learning/loss")]
    assert learned == [step for step, _ in curve(found, "learning/beta")]
    assert learned == list(range(learned[0], 481, 48)) and learned[0] > 240  # learning_starts


def test_what_was_logged_past_a_checkpoint_is_dropped(tmp_path: Path) -> None:
    log = TensorBoardLog(tmp_path)
    for step in (1, 2):
        log.scalars(step, {"training/score": step})
        kept = log.get_state()
    log.scalars(3, {"training/score": 33.0})
    log.close()

    again = TensorBoardLog(tmp_path)
    again.set_state(kept)
    again.scalars(3, {"training/score": 3.0})
    again.close()
    assert curve(events(tmp_path), "training/score") == [(1, 1.0), (2, 2.0), (3, 3.0)]
