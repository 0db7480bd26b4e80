"""A driver as ONNX: the same network, the same episodes, and a folder that works without this program's TensorFlow."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents.network import NetworkSpec, build_q_network, weights_of
from agents.onnx_graph import onnx_model
from agents.weights import pack
from evaluation.drivers import load_driver
from evaluation.evaluation import drive
from racing.spec import WorldSpec
from reports import model_export
from reports.model_card import model_card
from reports.model_export import compare, export_model
from tests.support import networks  # noqa: F401  (sets TensorFlow up)
from tests.support.command_line import ROOT, start
from training.runs.run_folder import RunFolder

WORLD = WorldSpec(height=16, width=20, stack=2, frame_skip=25, actions="stock")
SHAPE, ACTIONS = (2, 16, 20), 5
SPEC = NetworkSpec(convolutions=((4, 4, 2),), dense=(8,), dueling=True)
VALIDATION = {
    **{"decisions": 100, "updates": 10, "seconds": 1.0, "mean": 12.5, "std": 2.0, "min": 9.0},
    **{"max": 14.0, "laps": 0, "episodes": 4},
}
CARD: dict[str, Any] = {
    "agent": "DDQN",
    "network": asdict(SPEC),
    "observation": list(SHAPE),
    "actions": ACTIONS,
    "world": asdict(WORLD),
    "settings": {"decisions": 200, "seed": 3, "preset": "smoke", "gamma": 0.9, "n_step": 2},
    "validation": VALIDATION,
}


@pytest.fixture
def onnxruntime() -> Any:
    pytest.importorskip("onnx", reason="needs onnxruntime")
    return pytest.importorskip("onnxruntime", reason="needs onnxruntime")


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A driver that has learned nothing, but has preferences."""
    path = tmp_path / "small.safetensors"
    path.write_bytes(pack(weights_of(build_q_network(SPEC, SHAPE, ACTIONS, seed=3)), CARD))
    return path


@pytest.mark.parametrize("dueling", [True, False])
@pytest.mark.parametrize("dense", [(), (8,), (16, 8)], ids=str)
@pytest.mark.parametrize(
    "convolutions", [(), ((4, 3, 2),), ((4, 3, 1), (6, 4, 2), (3, 2, 1))], ids=str
)
def test_any_network_of_ours_gives_the_same_values(
    onnxruntime: Any, convolutions: Any, dense: Any, dueling: bool
) -> None:
    spec = NetworkSpec(dueling, convolutions, dense)
    shape = (3, 14, 11)  # height, width and stack cannot be mixed up
    network = build_q_network(spec, shape, 7, seed=1)
    rng = np.random.default_rng(0)
    for variable in network.variables:  # biases begin at zero, which hides where they are added
        variable.assign(rng.normal(size=variable.shape, scale=0.3))
    session = onnxruntime.InferenceSession(onnx_model(spec, shape, 7, weights_of(network)))
    for count in (1, 5):
        seen = rng.integers(256, size=(count, *shape), dtype=np.uint8)
        [values] = session.run(None, {"observation": seen})
        assert values.dtype == np.float32 and values.shape == (count, 7)
        np.testing.assert_allclose(values, network(seen), rtol=1e-4, atol=1e-4)


def front_matter(readme: str) -> Any:
    yaml = pytest.importorskip("yaml", reason="needs yaml")
    return yaml.safe_load(readme.split("---\n")[1])


def test_the_folder_drives_by_itself(onnxruntime: Any, weights: Path, tmp_path: Path) -> None:
    """Its example gets the score of the evaluation, and loads neither TensorFlow nor anything of ours but the world."""
    calls: list[tuple[float, int]] = []
    folder, agreement = export_model(
        weights, tmp_path / "a" / "b", [3, 4], lambda done, total: calls.append((done, total))
    )
    assert folder == tmp_path / "a" / "b"
    assert (agreement.episodes, agreement.different, agreement.largest_loss) == (2, 0, 0)
    episodes = [drive(load_driver(str(weights)), track) for track in (3, 4)]
    assert agreement.decisions == sum(-(-e.frames // 25) for e in episodes)
    assert calls[-1] == (2, 2) and calls == sorted(calls)
    assert {p.name for p in folder.iterdir()} == {
        *("model.onnx", "model.safetensors", "card.json", "drive.py", "README.md")
    }
    assert (folder / "model.safetensors").read_bytes() == weights.read_bytes()
    assert json.loads((folder / "card.json").read_text()) == json.loads(json.dumps(CARD))
    program = (
        "import runpy, sys; sys.argv = ['drive.py', '3'];"
        f"runpy.run_path({str(folder / 'drive.py')!r}, run_name='__main__');"
        "print({m.split('.')[0] for m in sys.modules} & {'tensorflow', 'agents', 'evaluation'})"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    e = episodes[0]
    assert done.stdout == f"track 3: {e.score:.1f} points, {e.end_reason}\nset()\n", done.stderr


def test_a_network_that_decides_otherwise_is_noticed_and_not_kept(
    onnxruntime: Any, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the graph were built wrongly: another network's weights."""
    other = weights_of(build_q_network(SPEC, SHAPE, ACTIONS, seed=4))
    wrong = onnx_model(SPEC, SHAPE, ACTIONS, other)
    agreement = compare(load_driver(str(weights)), wrong, [3])
    assert 0 < agreement.different <= agreement.decisions
    assert agreement.largest_loss > 0 and agreement.largest_error > 0
    monkeypatch.setattr(model_export, "onnx_model", lambda *_: wrong)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ValueError, match=r"as ONNX it takes another action in \d+ of \d+"):
        export_model(weights, tmp_path / "out", [3])
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_that_is_there_is_left_alone(
    onnxruntime: Any, weights: Path, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="exists: choose another --out"):
        export_model(weights, tmp_path)


def test_the_card_as_hugging_face_reads_it() -> None:
    test = VALIDATION | {"mean": 900.123, "low": 890.0, "high": 910.0, "median": 901.0}
    readme = model_card("ours", CARD | {"test": test, "origin": {"commit": "abc"}})(2, 1234)
    head = front_matter(readme)
    assert (head["license"], head["library_name"]) == ("mit", "onnx")
    assert {"reinforcement-learning", "CarRacing-v3", "ddqn"} <= set(head["tags"])
    [model] = head["model-index"]
    [result] = model["results"]
    assert model["name"] == "ours"
    assert result["task"]["type"] == "reinforcement-learning"
    assert result["dataset"] == {"type": "CarRacing-v3", "name": "CarRacing-v3, 4 test tracks"}
    [metric] = result["metrics"]
    assert (metric["type"], metric["value"]) == ("mean_reward", "900.12 +/- 2.00")
    assert "1,234 decisions" in readme and "890.0 to 910.0" in readme and "`abc`" in readme
    of_validation = front_matter(model_card("ours", CARD)(2, 1234))
    assert of_validation["model-index"][0]["results"][0]["metrics"][0]["value"] == "12.50 +/- 2.00"


def test_hugging_faces_own_reader_takes_it() -> None:
    hub = pytest.importorskip("huggingface_hub", reason="needs huggingface_hub")
    data = hub.ModelCard(model_card("ours", CARD)(2, 1234)).data
    [result] = data.eval_results
    assert (result.metric_type, result.metric_value) == ("mean_reward", "12.50 +/- 2.00")
    assert (data.license, data.model_name) == ("mit", "ours")


@pytest.mark.parametrize("lost", ["validation", "world", "settings", "agent"])
def test_a_card_that_says_too_little(lost: str) -> None:
    with pytest.raises(ValueError, match="lacks what a model card needs"):
        model_card("ours", {k: v for k, v in CARD.items() if k != lost})


def test_a_finished_run_is_told_by_its_test(weights: Path, tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "runs", "DDQN", "one", {"seed": 1})
    (run.path / "test.csv").write_bytes((ROOT / "results/runs/ddqn-seed1/test.csv").read_bytes())
    (run.path / "best.safetensors").write_bytes(weights.read_bytes())
    assert model_export._tested(run) == {}, "the scores are of other weights"
    run.finish(weights.read_bytes())
    assert model_export._tested(run)["test"]["episodes"] == 50
    assert model_export._name(run) == "ddqn-one"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "no run 'nowhere'"),
        (["nowhere.safetensors"], "nowhere.safetensors: No such file"),
        ([str(ROOT / "models/dqn.safetensors"), "--out", str(ROOT / "docs")], "docs exists"),
    ],
    ids=str,
)
def test_bad_input(onnxruntime: Any, arguments: list[str], said: str) -> None:
    process = start("runs", "export-model", *arguments)
    _, err = process.communicate(timeout=200)
    assert process.returncode == 2
    assert re.fullmatch(r"error: .*\n", err) and said in err


@pytest.mark.skipif(find_spec("onnxruntime") is not None, reason="needs a Python without it")
def test_without_the_packages(tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = start("runs", "export-model", "models/dqn.safetensors", "--out", str(out))
    _, err = process.communicate(timeout=200)
    assert process.returncode == 2
    assert re.fullmatch(r"error: onnx(runtime)? is not installed; .*'\.\[onnx\]'\n", err)
    assert not out.exists()
