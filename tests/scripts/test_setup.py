"""What `make` installs: the locks, who installs which, and what the docs say of it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from system.files import sha256
from tests.support.server import ROOT, TINY

INSTALL = "CARRACING_TEST_INSTALL"  # set it to download and install all dependencies


def locked(name: str) -> set[str]:
    """Packages of a lock, each with its version."""
    return set(re.findall(r"^[a-z][^ ]*==[^ ]+", (ROOT / name).read_text(), re.M))


LOCKS = {f"requirements{name}.lock" for name in ("", "-dev", "-gpu", "-cluster")}
ON_SERVERS = {"requirements-dev.lock", "requirements-cluster.lock"}  # not in a conda environment
DEVELOPERS = {"hypothesis", "jupyterlab", "mypy", "nbclient", "optuna", "pytest", "ruff"}


def test_the_other_locks_add_to_the_one_for_training_and_change_nothing() -> None:
    training, tests = locked("requirements.lock"), locked("requirements-dev.lock")
    gpu, cluster = locked("requirements-gpu.lock"), locked("requirements-cluster.lock")
    assert training < tests and training < gpu and training < cluster
    assert all(added.startswith("nvidia-") for added in gpu - training)
    assert {pinned.partition("==")[0] for pinned in tests - training} >= DEVELOPERS


@pytest.mark.parametrize("lock", sorted(ROOT.glob("*.lock")), ids=lambda path: path.name)
def test_locks_name_hashes_and_no_registry(lock: Path) -> None:
    entries = re.findall(
        r"^\S.*\n(?:    .*\n)+", re.sub("^#.*\n", "", lock.read_text(), flags=re.M), re.M
    )
    assert len(entries) == len(locked(lock.name)) > 50
    assert all("--hash=sha256:" in entry for entry in entries)
    assert "://" not in lock.read_text() and "index" not in lock.read_text()


@pytest.mark.parametrize("tool", ["uv", ""])
@pytest.mark.parametrize(
    ("target", "lock", "then"),
    [("train", "requirements.lock", "DDQN.py"), ("test-fast", "requirements-dev.lock", "pytest")],
)
def test_make_installs_the_one_lock_that_it_needs(
    target: str, lock: str, then: str, tool: str, tmp_path: Path
) -> None:
    """What make would do with nothing there."""
    line = ["make", "--dry-run", target, f"VENV={tmp_path}/new", f"UV={tool}"]
    steps = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert re.findall(r"--require-hashes -r (\S+)", steps) == [lock]
    python = f"{tmp_path}/new/bin/python"
    installer = f"uv pip install --compile-bytecode --python {python}" if tool else "-m pip install"
    assert steps.count(installer) == 1
    assert then in steps.partition("--require-hashes")[2]


@pytest.mark.slow
def test_pip_installs_into_the_venv_whatever_the_environment_says(tmp_path: Path) -> None:
    """A real pip and a package of one line, with what a module file of a shared server may set."""
    wheel, info = tmp_path / "tiny-1.0-py3-none-any.whl", "tiny-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("tiny.py", "print('tiny')")
        file.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        file.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        file.writestr(f"{info}/RECORD", "")
    lock = f"tiny @ {wheel.as_uri()} --hash=sha256:{sha256(wheel.read_bytes())}\n"
    (tmp_path / "requirements.lock").write_text(lock)
    shutil.copy(ROOT / "Makefile", tmp_path)
    elsewhere = {
        "PIP_USER": "1",
        "PIP_TARGET": str(tmp_path / "a"),
        "PIP_PREFIX": str(tmp_path / "b"),
    }
    line = ["make", "setup", "UV=", f"PYTHON={sys.executable}", "VENV=new"]
    subprocess.run(line, cwd=tmp_path, env=os.environ | elsewhere, check=True)
    tiny = ["new/bin/python", "-c", "import tiny"]
    assert subprocess.run(tiny, cwd=tmp_path, capture_output=True).stdout == b"tiny\n"


def test_the_costs_in_the_docs_are_those_measured() -> None:
    page = (ROOT / "docs" / "servers.md").read_text()
    told = page.split("<!-- setup table: begin -->")[1].split("<!-- setup table: end -->")[0]
    _, *rows = (ROOT / "results" / "setup.csv").read_text().splitlines()
    assert rows and told.count("\n| ") == len(rows) + 1
    for python, installer, target, download, disk, seconds in (row.split(",") for row in rows):
        sizes = f"{int(download) / 1000:.2f} GB | {int(disk) / 1000:.1f} GB"
        assert f"| {python} | {installer} | `make {target}` | {sizes} | {seconds} s |\n" in told


def test_one_python_and_the_same_locks_everywhere() -> None:
    conda = (ROOT / "build_conda_env.yml").read_text()
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert re.findall(r"- python=([\d.]+)", conda) == re.findall(
        r"FROM python:([\d.]+)", dockerfile
    )
    for text, locks in ((conda, LOCKS - ON_SERVERS), (dockerfile, LOCKS)):
        named = re.findall(r"--require-hashes.*?-r (?:/tmp/)?(requirements\S*\.lock)", text, re.S)
        assert set(named) == locks


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif(INSTALL not in os.environ, reason=f"downloads 1 GB; {INSTALL}=1 asks for it")
def test_the_pip_part_of_the_conda_file_trains(tmp_path: Path) -> None:
    conda = (ROOT / "build_conda_env.yml").read_text()
    shutil.copy(ROOT / "requirements.lock", tmp_path)
    lines = re.findall(r"^ {6}- (.+)$", conda.partition("- pip:\n")[2], re.M)
    (tmp_path / "pip.txt").write_text("\n".join(lines))
    (version,) = re.findall(r"- python=([\d.]+)", conda)
    wanted = shutil.which(f"python{version}") or ""
    usable = wanted and not subprocess.run([wanted, "-c", ""], capture_output=True).returncode
    subprocess.run(
        [wanted if usable else sys.executable, "-m", "venv", "venv"], cwd=tmp_path, check=True
    )
    subprocess.run(["venv/bin/pip", "install", "-q", "-r", "pip.txt"], cwd=tmp_path, check=True)
    train = ["venv/bin/python", str(ROOT / "DDQN.py"), "--decisions", "200", *TINY]
    subprocess.run(train, cwd=tmp_path, check=True)
    assert list(tmp_path.glob("runs/DDQN/*/checkpoints/*/manifest.json"))
