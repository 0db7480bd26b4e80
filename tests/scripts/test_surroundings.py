"""The scripts where nothing is as at home: a read-only checkout, odd paths, no HOME, odd locales."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.command_line import ROOT, arguments

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """This checkout, read-only, at a path with spaces."""
    there = tmp_path_factory.mktemp("read only") / "the checkout"
    there.mkdir()
    bind = ["mount", "--bind", str(ROOT), str(there)]
    if subprocess.run(bind, capture_output=True).returncode:
        pytest.skip("this system does not let us mount a folder read-only")
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", str(there)], check=True)
        with pytest.raises(OSError):
            (there / "x").touch()
        yield there
    finally:
        subprocess.run(["umount", str(there)], check=True)


@pytest.fixture(scope="module")
def turkish(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A locale in which I is not the capital of i, and whose encoding is not UTF-8; made here."""
    folder = tmp_path_factory.mktemp("locales")
    make = ["localedef", "-i", "tr_TR", "-f", "ISO-8859-9", str(folder / "tr_TR")]
    if not shutil.which("localedef") or subprocess.run(make, capture_output=True).returncode > 1:
        pytest.skip("there is no localedef to make a locale with")
    return {"LC_ALL": "tr_TR", "LOCPATH": str(folder)}


def run(
    checkout: Path, folder: Path, locale: dict[str, str], script: str, *options: str
) -> tuple[str, str]:
    """A script with next to nothing in its environment, from a folder outside; stdout and stderr."""
    done = subprocess.run(
        [sys.executable, str(checkout / f"{script}.py"), *options],
        cwd=folder,
        # No TMPDIR of ours: TensorFlow writes sources there, and cannot read them below a name that the locale lacks.
        env={"PATH": os.defpath, **locale},
        capture_output=True,
    )
    out, err = (b.decode("latin-1") for b in (done.stdout, done.stderr))
    assert done.returncode == 0, out + err
    assert "Traceback" not in err
    return out, err


def test_everything_from_training_to_the_model(checkout: Path, tmp_path: Path) -> None:
    """In plain ASCII: what it cannot say, it escapes. And no process, killed or not, leaves anything behind."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    ascii_only["TMPDIR"] = str(temporary)
    folder = tmp_path / "with spaces and ü"
    folder.mkdir()
    options = arguments(runs="my [b]runs", name="one", workers=1, decisions=64, validation_tracks=1)
    out, _ = run(checkout, folder, ascii_only, "DDQN", *options)
    assert "\\xb1" in out  # plus-minus
    assert "my [b]runs/DDQN/one: DDQN, seed 7" in out  # and no markup
    scores = run(
        checkout,
        folder,
        ascii_only,
        "evaluate",
        "random",
        *("--tracks", "100:101", "--csv", "sc öres.csv", "--camera", "fast"),
    )[0]
    assert "1 episodes" in scores
    assert (folder / "sc öres.csv").read_text().count("\n") == 2
    kept = ("--models", "my models", "--results", "my results", "--episodes", "1")
    run(checkout, folder, ascii_only, "runs", "publish", "my [b]runs/DDQN/one", *kept)
    assert (folder / "my models" / "ddqn.safetensors").is_file()
    assert (folder / "my results" / "scores" / "ddqn.csv").is_file()
    assert {p.name for p in temporary.iterdir()} <= {"__pycache__"}  # of a source of TensorFlow's


def test_a_training_in_turkish_without_a_home(
    checkout: Path, tmp_path: Path, turkish: dict[str, str]
) -> None:
    options = arguments(runs="r", name="bir", workers=0, decisions=64, validation_tracks=1)
    run(checkout, tmp_path, turkish | {"HOME": "/nonexistent"}, "DQN", *options)
    resumed = ("--runs", "r", "--resume", "latest", "--decisions", "128")
    run(checkout, tmp_path, turkish | {"HOME": "/nonexistent"}, "DQN", *resumed)
    assert (tmp_path / "r/DQN/bir/checkpoints/000000128/manifest.json").is_file()
