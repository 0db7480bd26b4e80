"""The house rules that a machine can check: who may import whom, and how alike the two scripts are."""

from __future__ import annotations

import ast
import difflib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from reports.settings_page import PAGE, settings_page

ROOT = Path(__file__).parents[1]
SCRIPTS = {path.stem for path in ROOT.glob("*.py")}
SIMULATOR = {"gymnasium", "Box2D", "pygame"}
LEARNING = {"tensorflow", "keras", "tensorboard"}
# Who may import whom, for every room; "training" without a dot is the loop itself, not the rooms inside.
ALLOWED = {
    "system": set(),
    "racing": {"system"},
    "agents": {"system"},
    "evaluation": {"racing", "agents", "system"},
    "training.runs": {"agents", "racing", "system"},
    "training.tracking": {
        *("evaluation", "agents", "racing", "system"),
        *("training.actors", "training.runs"),
    },
    "training.mirror": {"system", "training.runs", "training.tracking"},
    "training.actors": {"agents", "racing", "system"},
    "training": {
        *("racing", "agents", "evaluation", "system"),
        *("training.actors", "training.mirror", "training.runs", "training.tracking"),
    },
    # The skin of the scripts, on top of everything.
    "training.main": {"agents", "reports", "system", "training", "training.runs"}
    | {"training.actors", "training.tracking", "experiments"},
    "reports": {"agents", "evaluation", "racing", "training", "training.runs", "system"},
    "experiments": {"racing", "agents", "evaluation", "training", "training.runs", "reports"}
    | {"system"},
    "cockpit": {"racing", "evaluation", "system"},
    "benchmarks": {"racing", "agents", "evaluation", "training", "reports", "cockpit", "system"}
    | {"experiments"}
    | SCRIPTS,
}
ROOMS = {*ALLOWED, "tests"} | SCRIPTS


def modules(package: str) -> list[Path]:
    path = ROOT / package.replace(".", "/")
    return sorted(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]


def room_of(module: str) -> str:
    """The innermost room that a dotted name lies in; a script is its own, others' packages have none."""
    parts = module.split(".")
    names = (".".join(parts[:n]) for n in range(len(parts), 0, -1))
    return next((name for name in names if name in ROOMS), "")


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(path: Path) -> set[str]:
    """Dotted names that a file imports, also within functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide where things come from"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("room", ALLOWED)
def test_imports_keep_to_the_table(room: str) -> None:
    files = [path for path in modules(room) if room_of(dotted(path)) == room]
    assert files
    for path in files:
        rooms = {room_of(name) for name in imports(path)} - {"", room}
        if "training" in ALLOWED[room]:  # who may import the loop may import what it is made of
            rooms = {name.split(".")[0] for name in rooms} - {room}
        assert rooms <= ALLOWED[room], f"{path.relative_to(ROOT)}: {rooms - ALLOWED[room]}"


def test_tests_do_without_benchmarks() -> None:
    """But for the tests of benchmarks."""
    files = {p for p in modules("tests") if "benchmarks" not in p.relative_to(ROOT).parts}
    assert len(files) > 40
    for path in files:
        assert not any(name.split(".")[0] == "benchmarks" for name in imports(path)), path


def loaded(*names: str) -> set[str]:
    """Top-level modules that a fresh process has after importing these."""
    code = f"import json, sys, {', '.join(names)}; print(json.dumps(list(sys.modules)))"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return {name.split(".")[0] for name in json.loads(result.stdout)}


def test_the_world_runs_without_tensorflow() -> None:
    """Not even through somebody else's import."""
    found = loaded(*map(dotted, modules("racing")))
    assert {"racing", "gymnasium"} <= found
    assert found.isdisjoint(LEARNING | {"agents", "training"})


def test_the_agents_run_without_the_world_and_load_tensorflow_when_it_is_used() -> None:
    found = loaded(*map(dotted, modules("agents")))
    assert {"agents", "numpy"} <= found
    assert found.isdisjoint(LEARNING | SIMULATOR | {"racing", "training"})


def test_no_pickle_and_no_eval() -> None:
    """Files are pure data."""
    for path in (p for package in ALLOWED for p in modules(package)):
        packages = {name.split(".")[0] for name in imports(path)}
        assert packages.isdisjoint({"pickle", "dill", "cloudpickle", "shelve", "marshal"}), path
        calls = [n.func for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call)]
        names = {f.id for f in calls if isinstance(f, ast.Name)}
        assert names.isdisjoint({"eval", "exec"}), path


def changes(one: str, other: str) -> tuple[list[str], list[str]]:
    """Lines that only one of two scripts has."""
    before, after = ((ROOT / f"{name}.py").read_text().splitlines() for name in (one, other))
    lines = list(difflib.unified_diff(before, after, n=0, lineterm=""))[2:]
    return [x for x in lines if x[0] == "-"], [x for x in lines if x[0] == "+"]


def test_the_difference_between_the_scripts_is_the_lesson() -> None:
    """Formulas, not names: another target, priorities, importance weights, and nothing else."""
    gone, new = changes("DQN", "DDQN")
    assert len(gone) + len(new) <= 2 * 45
    assert max(len(gone), len(new)) <= 45
    assert any("reduce_max(target(" in line for line in gone)
    assert any("argmax(online(" in line for line in new)
    assert any("** -" in line for line in new), "the importance weights"
    assert any("np.abs(" in line and "** alpha" in line for line in new), "the priorities"
    branches = [x for x in gone + new if x.lstrip("+- ").startswith(("if ", "else", "elif "))]
    assert not branches, "variants are values that are passed, not flags to branch on"


@pytest.mark.parametrize("script", ["DQN", "DDQN"])
def test_a_script_shows_the_algorithm_on_one_page(script: str) -> None:
    """Sample, TD target, loss, gradient step, target copy, epsilon-greedy, loop: all in the first file."""
    text = (ROOT / f"{script}.py").read_text()
    assert len(text.splitlines()) <= 120
    for step in (
        *(
            "replay.sample(",
            "stop_gradient(td_target)",
            "huber(",
            "tape.gradient(",
            "optimizer.apply(",
        ),
        *("copy(self.online, self.target)", "< epsilon", "while self.decisions <"),
    ):
        assert step in text, step


def test_plain_dqn_knows_nothing_of_priorities() -> None:
    text = (ROOT / "DQN.py").read_text().lower()
    assert not any(word in text for word in ("beta", "priorit", "importance", "ones("))


def test_the_page_of_settings_is_up_to_date() -> None:
    """`python -m reports.settings_page` makes it."""
    assert PAGE.read_text() == settings_page()
