"""The wheel of this project, and an environment of somebody else that has it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from tests.support.server import ROOT

NOT_PACKAGED = {"runs", "results", "imgs", "tests", "build"}


def _left_out(folder: str, names: list[str]) -> list[str]:
    if Path(folder) != ROOT:
        return ["__pycache__"]
    return [name for name in names if name in NOT_PACKAGED or name.startswith(".")]


def build_wheel(folder: Path) -> Path:
    """The wheel of the working tree, built beside it and without a network."""
    source = folder / "source"
    shutil.copytree(ROOT, source, ignore=_left_out)
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-index", "--no-deps"]
    subprocess.run([*pip, "--no-build-isolation", "-w", folder, source], check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def environment_with(wheel: Path, folder: Path) -> Path:
    """The Python of a new environment that has the wheel; what that needs is looked up in ours."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin" / "python"
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    told = subprocess.run([python, "-c", ask], capture_output=True, text=True, check=True)
    (Path(told.stdout.strip()) / "ours.pth").write_text(sysconfig.get_path("purelib"))
    pip = [sys.executable, "-m", "pip", f"--python={python}", "install", "--quiet", "--no-index"]
    subprocess.run([*pip, "--no-deps", "--ignore-installed", wheel], check=True)
    return python
