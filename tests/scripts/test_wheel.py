"""`pip install .`, and what a program of another project then has."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from configparser import ConfigParser
from pathlib import Path

import pytest

from tests.scripts.test_setup import INSTALL
from tests.support.server import ROOT
from tests.support.wheel import build_wheel, environment_with

ROOMS = {p.parent.name for p in ROOT.glob("*/__init__.py")} - {"tests", "benchmarks"}
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def theirs(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of another project's environment."""
    return environment_with(wheel, tmp_path_factory.mktemp("theirs") / "venv")


def run(python: Path, folder: Path, program: str) -> subprocess.CompletedProcess[str]:
    """A program of somebody else, in a folder of theirs."""
    (folder / "program.py").write_text(program)
    bare = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    line = [str(python), "program.py"]
    return subprocess.run(line, cwd=folder, env=bare, capture_output=True, text=True)


def output_of(python: Path, folder: Path, program: str) -> str:
    done = run(python, folder, program)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_has_the_rooms_and_takes_no_common_name(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    top = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert top == {"racing", "carracing_dqn", "carracing_fast.pth", "_carracing_fast.py"}
    for room in ROOMS:
        ours = {p.relative_to(ROOT).as_posix() for p in (ROOT / room).rglob("*.py")}
        prefix = "" if room == "racing" else "carracing_dqn/"
        assert {prefix + name for name in ours} <= set(names)
    weights = {f"carracing_dqn/models/{p.name}" for p in ROOT.glob("models/*.safetensors")}
    assert weights and weights <= set(names)


def test_its_metadata_says_what_the_world_needs_and_where_it_registers(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (metadata,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
    text = archive.read(metadata).decode()
    needed = {
        line for line in re.findall(r"^Requires-Dist: (.+)$", text, re.M) if "extra" not in line
    }
    assert {re.split(r"[^\w-]", line)[0] for line in needed} == {
        *("annotated-types", "gymnasium", "numpy", "opencv-python-headless")
    }
    assert "gymnasium[box2d]==1.4.0" in needed
    entries = ConfigParser()
    entries.read_string(archive.read(metadata.replace("METADATA", "entry_points.txt")).decode())
    assert dict(entries["gymnasium.envs"]) == {"__root__": "racing.registration:register_envs"}


def test_the_world_is_made_without_an_import_of_ours(theirs: Path, tmp_path: Path) -> None:
    """And without TensorFlow, and with packages of theirs that are called as ours are in a clone."""
    for name in ROOMS - {"racing"}:
        (tmp_path / f"{name}.py").write_text("raise SystemExit('this is not yours')")
    program = """
import sys
import gymnasium
before = set(sys.modules)
env = gymnasium.make("CarRacingFast-v3")
observation, info = env.reset(seed=7)
total = sum(env.step(3)[1] for _ in range(30))
again = gymnasium.make(gymnasium.envs.registration.EnvSpec.from_json(env.spec.to_json()))
assert (again.reset(seed=7)[0] == observation).all()
print(observation.shape, total > 0, "cv2" in before, "tensorflow" in sys.modules)
"""
    assert output_of(theirs, tmp_path, program) == "(4, 48, 48) True False False\n"


def test_the_entry_point_and_the_import_register_once(theirs: Path, tmp_path: Path) -> None:
    program = """
import warnings
warnings.filterwarnings("error", message=".*verrid")  # what Gymnasium says of a second time
from importlib.metadata import entry_points
import gymnasium
for point in entry_points(group="gymnasium.envs"):
    if point.value.startswith("racing."):
        point.load()()
import racing.gym_env
print([name for name in gymnasium.registry if name.startswith("CarRacingFast")])
"""
    assert output_of(theirs, tmp_path, program) == "['CarRacingFast-v3']\n"


VECTOR = """
import gymnasium

if __name__ == "__main__":
    cars = gymnasium.make_vec(
        "CarRacingFast-v3", num_envs=2, vectorization_mode="async", vector_kwargs={"context": "spawn"}
    )
    print(cars.reset(seed=3)[0].shape, cars.step([3, 3])[1].shape)
    cars.close()
"""


def test_it_is_made_in_processes_that_start_anew(theirs: Path, tmp_path: Path) -> None:
    assert output_of(theirs, tmp_path, VECTOR) == "(2, 4, 48, 48) (2,)\n"


def test_a_python_start_costs_nothing(theirs: Path, tmp_path: Path) -> None:
    """The line that waits for Gymnasium loads nothing that Python has not loaded anyway."""
    without = subprocess.run(
        [theirs, "-S", "-c", "import sys, importlib.machinery; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    started = output_of(theirs, tmp_path, "import sys; print(*sys.modules)")
    added = set(started.split()) - set(without.stdout.split())
    assert "_carracing_fast" in added
    assert added.isdisjoint({"gymnasium", "numpy", "cv2", "racing", "carracing_dqn", "system"})


DRIVE = """
import carracing_dqn
from evaluation.drivers import load_driver
from racing.world import World

driver = load_driver(str(carracing_dqn.MODELS / "ddqn.safetensors"))
world, policy = World(driver.world), driver.policy(7)
world.reset(7)
for _ in range(250):
    world.step(policy.act(world.observation[None])[0])
print(world.score > 100)
"""


def test_the_published_driver_drives_elsewhere(theirs: Path, tmp_path: Path) -> None:
    """The example of docs/library.md."""
    page = (ROOT / "docs" / "library.md").read_text()
    assert all(line in page for line in DRIVE.splitlines()[1:8])
    assert output_of(theirs, tmp_path, DRIVE) == "True\n"


def test_a_name_that_is_taken_is_said(theirs: Path, tmp_path: Path) -> None:
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "__init__.py").touch()
    done = run(theirs, tmp_path, DRIVE)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ImportError: carracing_dqn needs the name 'agents', which here means")
    assert str(tmp_path / "agents") in last


LEARN = """
import gymnasium
import numpy as np
from stable_baselines3 import DQN

env = gymnasium.make("CarRacingFast-v3")
model = DQN("CnnPolicy", env, buffer_size=1000, learning_starts=100, policy_kwargs={"normalize_images": True}, seed=1)
before = [p.detach().clone() for p in model.q_net.parameters()]
model.learn(400)
changed = [bool((p != q).any()) for p, q in zip(model.q_net.parameters(), before)]
print(model.num_timesteps, all(changed))
"""


@pytest.mark.timeout(1800)
@pytest.mark.skipif(INSTALL not in os.environ, reason=f"downloads 1 GB; {INSTALL}=1 asks for it")
def test_stable_baselines3_learns_on_it_from_a_git_address(tmp_path: Path) -> None:
    """In an environment that has nothing of ours but what pip brought."""
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    pip = [str(tmp_path / "venv/bin/pip"), "install", "--quiet"]
    subprocess.run([*pip, f"git+file://{ROOT}"], check=True)
    subprocess.run([*pip, "torch==2.13.0", "stable-baselines3"], check=True)
    python = tmp_path / "venv/bin/python"
    (there := tmp_path / "their project").mkdir()
    assert output_of(python, there, VECTOR) == "(2, 4, 48, 48) (2,)\n"
    assert output_of(python, there, LEARN).splitlines()[-1] == "400 True"
    assert run(python, there, "import tensorflow").returncode == 1
