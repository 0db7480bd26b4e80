"""An ablation changes what it says and nothing else, a sweep knows it as a preset, and the table is right."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

import DDQN
import DQN
from agents.backend import tf
from agents.replay import Batch
from benchmarks.learning import ablations
from benchmarks.learning.ablations import ABLATIONS, PRESETS, AblatedDDQN, Settings, shortened
from experiments.options import Options
from experiments.scripts import load_script
from experiments.sweep import run
from reports.ablation_table import PAGE, ROWS, ablation_table
from reports.report import with_block
from system.csv_files import read_csv
from tests.support import networks  # noqa: F401  (sets TensorFlow up)
from training.presets import SMOKE
from training.settings import changed, check, flat

SCRIPT = Path(ablations.__file__)


def test_the_page_says_what_the_results_say() -> None:
    page = PAGE.read_text()
    assert with_block(page, "ablations", ablation_table(read_csv(ROWS))) == page


@pytest.mark.parametrize("name", [n for n in ABLATIONS if n != "default"])
def test_every_ablation_is_one_change(name: str) -> None:
    base, settings = flat(PRESETS["default"]), PRESETS[name]
    check(settings)
    different = {k for k, v in flat(settings).items() if v != base[k]}
    assert different == set(ABLATIONS[name]) | {"preset"} and len(different) == 2


def test_the_default_is_that_of_the_script_for_fewer_decisions() -> None:
    assert flat(Settings()) == flat(DDQN.Settings()) | {"double": True}
    schedules = {"learning_rate_updates": 44_000, "beta_updates": 40_000}
    base = changed(Settings(), decisions=640_000, **schedules)
    quarter = {"decisions": 160_000, "learning_rate_updates": 11_000, "beta_updates": 10_000}
    assert shortened(base, 160_000) == changed(base, **quarter)
    script = load_script(SCRIPT)
    assert script.agent == "AblatedDDQN"
    assert list(map(flat, script.presets.values())) == list(map(flat, PRESETS.values()))


@pytest.mark.parametrize(("double", "error"), [(True, 0.5 + 1.0 - 1.0), (False, 0.5 + 4.0 - 1.0)])
def test_without_double_it_learns_from_the_other_script_s_error(double: bool, error: float) -> None:
    """A state whose best action two networks rate differently: r + 0.5 * 2, or r + 0.5 * 8."""
    online, target = (lambda _, q=q: tf.constant([q]) for q in ([1.0, 3.0], [8.0, 2.0]))
    images = np.zeros((1, 1, 1, 1), np.uint8)
    half = np.array([0.5], np.float32)
    batch = Batch(images, np.array([0], np.int32), half, half, images)
    agent = AblatedDDQN(changed(Settings(), **SMOKE, double=double))
    assert agent.td_error(online, target, batch).numpy()[0] == error
    assert agent.td_error is (DDQN if double else DQN).td_error
    assert AblatedDDQN.update is DDQN.DDQN.update


@pytest.mark.slow
def test_ablations_are_a_sweep_over_presets(tmp_path: Path, signal_handlers: None) -> None:
    """Real runs, as short as learning can be."""
    short = SMOKE | {"decisions": 512, "updates_per_tick": 20}
    short |= {"validation_tracks": 1, "test_episodes": 0}
    sets = tuple(f"{name}={json.dumps(v)}" for name, v in short.items() if name != "preset")
    options = Options(
        script=str(SCRIPT),
        preset="default,no-dou*",
        set=sets,
        jobs=2,
        folder=tmp_path / "s",
    )
    run(options)
    rows = read_csv(tmp_path / "s" / "trials.csv")
    assert [(row["preset"], row["state"]) for row in rows] == [
        ('"default"', "complete"),
        ('"no-double"', "complete"),
    ]
    runs = [tmp_path / "s" / "runs" / "AblatedDDQN" / f"t00{n}-seed1" for n in (0, 1)]
    assert [json.loads((r / "config.json").read_text())["double"] for r in runs] == [True, False]
    one, other = (load_file(r / "best.safetensors") for r in runs)
    assert any((one[name] != other[name]).any() for name in one)


def row(run: str, seed: int, mean: float, laps: int, curve: str) -> dict[str, str]:
    figures = {"seed": seed, "minutes": 4.0 + seed, "mean": mean, "laps": laps, "episodes": 100}
    return {name: str(value) for name, value in figures.items()} | {"run": run, "curve": curve}


def test_the_table_by_hand() -> None:
    rows = [
        row("no-mirror", 1, 700, 20, "1:100 2:300"),
        row("default", 1, 900, 90, "1:400 2:900"),
        row("no-double", 1, 890, 80, "1:500 2:800"),
        row("no-double", 2, 850, 60, "1:300 2:600"),
        row("default", 2, 880, 80, "1:500 2:900"),
        row("no-double", 3, 840, 10, "1:300 2:500"),
    ]
    assert ablation_table(rows).splitlines()[2:] == [
        "| default | 2 | **890.0** | 880.0 – 900.0 | 880.0 | – | – | 85 % | 675 | 5.5 |",
        "| no-double | 3 | **860.0** | 840.0 – 890.0 | 840.0 | 20.0 | 10.0 – 30.0 | 50 % | 500 | 6.0 |",
        "| no-mirror | 1 | **700.0** | – | 700.0 | 200.0 | – | 20 % | 200 | 5.0 |",
    ]
