"""An ablation changes what it says and nothing else; what was run is not run again; the table is right."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import DDQN
import DQN
from agents.backend import tf
from agents.replay import Batch
from benchmarks.learning.ablations import (
    ABLATIONS,
    FIRST_SCORED,
    PAGE,
    Options,
    WithoutDouble,
    digest,
    main,
    shortened,
    world_without_gauges,
)
from benchmarks.rows import write_rows
from racing.gauges import GAUGE_ROWS
from racing.spec import WorldSpec
from racing.world import World
from reports.ablation_table import COLUMNS, DEFAULT, ablation_table, read_rows
from reports.report import with_block
from tests.support import networks  # noqa: F401  (sets TensorFlow up)
from training.settings import changed, check, flat

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "results" / "ablations.csv"


def test_the_page_says_what_the_results_say() -> None:
    page = PAGE.read_text()
    assert with_block(page, "ablations", ablation_table(read_rows(TABLE))) == page


@pytest.mark.parametrize("name", [n for n in ABLATIONS if n != DEFAULT])
def test_every_ablation_is_one_change(name: str) -> None:
    ablation, base = ABLATIONS[name], DDQN.Settings()
    changes = [ablation.agent is not DDQN.DDQN, ablation.make_world is not World]
    assert sum(changes) + len(ablation.settings) == 1
    settings = changed(base, **ablation.settings)
    check(settings)
    different = {k for k, v in flat(settings).items() if v != flat(base)[k]}
    assert different == set(ablation.settings)


def test_weights_are_not_scored_where_they_were_chosen() -> None:
    assert DDQN.Settings().validation_tracks <= FIRST_SCORED


def test_schedules_are_as_long_as_the_run() -> None:
    schedules = {"learning_rate_updates": 44_000, "beta_updates": 40_000}
    base = changed(DDQN.Settings(), decisions=640_000, **schedules)
    quarter = {"decisions": 160_000, "learning_rate_updates": 11_000, "beta_updates": 10_000}
    assert shortened(base, 160_000) == changed(base, **quarter)
    assert shortened(base, base.decisions) == base


def test_rows_of_other_settings_are_told_apart() -> None:
    base = DDQN.Settings()
    assert digest(base, 100) == digest(changed(base, seed=9, workers=0), 100)
    others = [changed(base, gamma=0.5), changed(base, decisions=9)]
    assert len({digest(base, 100), digest(base, 99), *(digest(o, 100) for o in others)}) == 4


def test_without_double_it_learns_from_the_other_script_s_error() -> None:
    """A state whose best action two networks rate differently: r + 0.5 * 8, or r + 0.5 * 2."""
    online, target = (lambda _, q=q: tf.constant([q]) for q in ([1.0, 3.0], [8.0, 2.0]))
    images = np.zeros((1, 1, 1, 1), np.uint8)
    half = np.array([0.5], np.float32)
    batch = Batch(images, np.array([0], np.int32), half, half, images)
    errors = {a: a.td_error(online, target, batch).numpy()[0] for a in (WithoutDouble, DDQN.DDQN)}
    assert errors == {WithoutDouble: 0.5 + 4.0 - 1.0, DDQN.DDQN: 0.5 + 1.0 - 1.0}
    assert WithoutDouble.td_error is DQN.td_error
    assert WithoutDouble.update is DDQN.DDQN.update


@pytest.mark.parametrize("size", [96, 50])
def test_without_gauges_the_road_is_still_there(size: int) -> None:
    spec = WorldSpec(height=size, width=size, actions="")
    images = []
    for world in (world_without_gauges(spec), World(spec)):
        world.reset(8)
        for _ in range(10):
            world.step(np.array([0.1, 0.5, 0.0]))
        images.append(world.render())
    blind, seen = images
    rows = GAUGE_ROWS * size // 96  # a row that road and gauges share is not counted
    assert not blind[-rows:].any()
    assert seen[-rows:].any()
    np.testing.assert_array_equal(blind[: -rows - 1], seen[: -rows - 1])


def row(run: str, seed: int, mean: float, laps: int, curve: str) -> dict[str, str]:
    cells = (run, seed, 4.0 + seed, 240_000, 18_000, mean, 20.0, 500.0, laps, 100, curve, "abc")
    return dict(zip(COLUMNS, map(str, cells), strict=True))


def test_the_table_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "ablations.csv"
    rows = [
        row("no-mirror", 1, 700, 20, "1:100 2:300"),
        row("default", 1, 900, 90, "1:400 2:900"),
        row("no-double", 1, 890, 80, "1:500 2:800"),
        row("no-double", 2, 850, 60, "1:300 2:600"),
        row("default", 2, 880, 80, "1:500 2:900"),
        row("no-double", 3, 840, 10, "1:300 2:500"),
    ]
    write_rows(path, rows)
    assert ablation_table(read_rows(path)).splitlines()[2:] == [
        "| default | 2 | **890.0** | 880.0 – 900.0 | – | – | 85 % | 675 | 5.5 |",
        "| no-double | 3 | **860.0** | 840.0 – 890.0 | 20.0 | 10.0 – 30.0 | 50 % | 500 | 6.0 |",
        "| no-mirror | 1 | **700.0** | – | 200.0 | – | 20 % | 200 | 5.0 |",
    ]


@pytest.mark.parametrize(
    "damage", [lambda t: t.replace("mean", "average"), lambda t: t.replace("900.0", "high")]
)
def test_what_is_no_table_is_refused(tmp_path: Path, damage: object) -> None:
    path = tmp_path / "ablations.csv"
    write_rows(path, [row("default", 1, 900.0, 90, "1:400")])
    assert callable(damage)
    path.write_text(damage(path.read_text()))
    with pytest.raises(ValueError, match=r"ablations.csv"):
        read_rows(path)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"only": ("no-brakes",)}, "no-brakes"),
        ({"decisions": 0}, "decisions"),
        ({"tracks": 9001}, "9001"),
        ({"table": True}, "nothing.csv"),
    ],
)
def test_bad_options_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict[str, object], named: str
) -> None:
    options: dict[str, object] = {"csv": tmp_path / "nothing.csv"} | change
    with pytest.raises(SystemExit) as end:
        main(Options(**options))  # type: ignore[arg-type]
    assert end.value.code == 2
    assert named in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_what_was_run_is_not_run_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through real processes, as long as it takes to begin."""
    small = {"height": 16, "width": 16, "convolutions": ((4, 4, 2),), "dense": (16,)}
    tiny = replace(ABLATIONS["no-double"], settings={**small, "validation_tracks": 1})
    monkeypatch.setitem(ABLATIONS, "no-double", tiny)
    path, page = tmp_path / "ablations.csv", tmp_path / "page.md"
    options = Options(only=("no-double",), decisions=256, tracks=1, csv=path)
    main(options)
    [first] = read_rows(path)
    assert (first["run"], first["seed"], first["decisions"]) == ("no-double", "1", "256")
    assert first["episodes"] == "1"
    before = path.stat()
    main(options)
    after = path.stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    with pytest.raises(SystemExit):
        main(replace(options, decisions=512))
    assert "other settings" in capsys.readouterr().err
    page.write_text("<!-- ablations table: begin -->\n<!-- ablations table: end -->\n")
    main(replace(options, table=True, page=page))
    assert f"| no-double | 1 | **{float(first['mean']):.1f}** |" in page.read_text()
