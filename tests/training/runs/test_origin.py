"""Where a run comes from: our own commit and changes, and what of the surroundings can change bits."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from system.times import parse
from training.runs.origin import differences, origin, program


def git(folder: Path, *arguments: str) -> str:
    """A real git, without anybody's settings."""
    ours = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")} | {"HOME": str(folder)}
    who = ("-c", "user.name=me", "-c", "user.email=me@example.org")
    done = subprocess.run(
        ["git", *who, *arguments], cwd=folder, env=ours, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "ours"
    folder.mkdir()
    git(folder, "init", "--quiet")
    (folder / "program.py").write_text("print(1)\n")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "begin")
    return folder


def test_our_own_commit_and_the_hash_of_what_was_changed_since(repository: Path) -> None:
    commit = git(repository, "rev-parse", "HEAD")
    assert program(repository) == {"commit": commit}
    (repository / "program.py").write_text("print(2)\n")
    found = program(repository)
    assert found["commit"] == f"{commit}-dirty"
    ours = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    diff = subprocess.run(
        ["git", "diff", "HEAD"], cwd=repository, env=ours, capture_output=True, check=True
    )
    assert found["uncommitted"] == hashlib.sha256(diff.stdout).hexdigest()
    (repository / "program.py").write_text("print(3)\n")
    assert program(repository)["uncommitted"] != found["uncommitted"]


def test_somebody_elses_repository_around_us_is_not_ours(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = repository / "vendor" / "carracing"
    inside.mkdir(parents=True)
    monkeypatch.delenv("SOURCE_COMMIT", raising=False)
    assert program(inside) == {"commit": "unknown"}
    monkeypatch.setenv("SOURCE_COMMIT", "4711")  # an image is told
    assert program(inside) == {"commit": "4711"}


def test_git_dir_of_a_hook_or_a_shell_points_elsewhere(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "--quiet")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    assert program(repository) == {"commit": git(repository, "rev-parse", "HEAD")}


def test_somebodys_git_settings_change_no_hash(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as another tool for diffs, whose output names temporary files."""
    (repository / "program.py").write_text("print(2)\n")
    before = program(repository)
    settings = "[diff]\n noprefix = true\n external = echo\n[color]\n ui = always\n"
    (tmp_path / ".gitconfig").write_text(settings)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert program(repository) == before


def test_a_checkout_that_belongs_to_another_user(repository: Path) -> None:
    """As the folder that a container mounts: git alone refuses to say anything about it."""
    if os.geteuid() != 0:
        pytest.skip("needs root, who may give files away")
    commit = git(repository, "rev-parse", "HEAD")
    subprocess.run(["chown", "-R", "65534", str(repository)], check=True)
    assert program(repository) == {"commit": commit}


def test_what_can_change_bits_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    then = origin("DDQN")
    assert parse(then["started"]).utcoffset().total_seconds() == 0  # type: ignore[union-attr]
    assert differences(then) == []
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_fast_math")
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "2")  # only greetings
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", "terraform.rc")  # another program's
    monkeypatch.setenv("TF_TOKEN_example_org", "a secret of Terraform's")
    assert differences(then) == ["XLA_FLAGS was not set, now --xla_cpu_fast_math"]
    then["versions"]["numpy"] = "1.0"
    then["processor"] = "abacus"
    found = differences(then)
    assert any(line.startswith("numpy was 1.0, now ") for line in found)
    assert any(line.startswith("processor was abacus, now ") for line in found)


@pytest.mark.parametrize(
    "name",
    [
        *("NPY_DISABLE_CPU_FEATURES", "NPY_ENABLE_CPU_FEATURES", "GLIBC_TUNABLES"),
        *("OPENCV_CPU_DISABLE", "OPENCV_IPP", "OPENBLAS_CORETYPE", "MKL_CBWR", "OMP_NUM_THREADS"),
        *("TF_ENABLE_ZENDNN_OPTS", "TF_ENABLE_AUTO_MIXED_PRECISION", "CUBLAS_WORKSPACE_CONFIG"),
    ],
)
def test_variables_that_choose_kernels_are_told(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(name, raising=False)
    then = origin("DDQN")
    monkeypatch.setenv(name, "x")
    assert differences(then) == [f"{name} was not set, now x"]


def test_a_run_of_before_says_nothing_of_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    then = origin("DDQN")
    del then["environment"]
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_fast_math")
    assert differences(then) == []
