"""An ablation changes what it says and nothing else; what was run is not run again; the table is right."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from agents.td import double_q_learning, q_learning

import DDQN
from benchmarks.learning.ablations import (
    ABLATIONS,
    FIRST_SCORED,
    PAGE,
    Ablation,
    Options,
    changed,
    digest,
    main,
    shortened,
)
from benchmarks.rows import write_rows
from racing.gauges import GAUGE_ROWS
from racing.spec import WorldSpec
from racing.world import World
from reports.ablation_table import COLUMNS, DEFAULT, ablation_table, read_rows
from reports.report import with_block
from tests.support import networks  # noqa: F401  (sets TensorFlow up)

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "results" / "ablations.csv"


@pytest.mark.skipif(not TABLE.exists(), reason="not measured yet")
def test_the_page_says_what_the_results_say() -> None:
    page = PAGE.read_text()
    assert with_block(page, "ablations", ablation_table(read_rows(TABLE))) == page


@pytest.mark.parametrize("name", [n for n in ABLATIONS if n != DEFAULT])
def test_every_ablation_is_one_change(name: str) -> None:
    ablation, base = ABLATIONS[name], DDQN.Settings()
    changes = [ablation.td_error is not None, not ablation.sees_gauges, bool(ablation.settings)]
    assert sum(changes) == 1
    settings = replace(base, **ablation.settings)
    settings.check()
    different = {k for k, v in asdict(settings).items() if v != asdict(base)[k]}
    assert different == set(ablation.settings)
    assert len(different) <= 1


def test_weights_are_not_scored_where_they_were_chosen() -> None:
    assert DDQN.Settings().validation_tracks <= FIRST_SCORED


def test_schedules_are_as_long_as_the_run() -> None:
    base = replace(
        DDQN.Settings(), decisions=640_000, learning_rate_updates=44_000, beta_updates=40_000
    )
    short = shortened(base, 160_000)
    assert (short.decisions, short.learning_rate_updates, short.beta_updates) == (
        160_000,
        11_000,
        10_000,
    )
    assert shortened(base, base.decisions) == base


def test_rows_of_other_settings_are_told_apart() -> None:
    base = DDQN.Settings()
    assert digest(base, 100) == digest(replace(base, seed=9, workers=0), 100)
    others = [replace(base, gamma=0.5), replace(base, decisions=9)]
    assert len({digest(base, 100), digest(base, 99), *(digest(o, 100) for o in others)}) == 4


def test_without_double() -> None:
    tiny = replace(DDQN.Settings(), replay_decisions=20_000)
    with changed(ABLATIONS["no-double"]):
        assert DDQN.build(tiny).learner._td_error is q_learning
    assert DDQN.build(tiny).learner._td_error is double_q_learning


def test_without_gauges_the_road_is_still_there() -> None:
    world = World(WorldSpec(height=96, width=96, actions=""))
    world.start(8)
    for _ in range(10):
        world.decide(np.array([0.1, 0.5, 0.0]))
    with changed(Ablation(sees_gauges=False)):
        blind = world.picture()
    seen = world.picture()
    assert not blind[-GAUGE_ROWS:].any()
    assert seen[-GAUGE_ROWS:].any()
    np.testing.assert_array_equal(blind[:-GAUGE_ROWS], seen[:-GAUGE_ROWS])


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
def test_what_was_run_is_not_run_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Through real processes, as long as it takes to begin."""
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
