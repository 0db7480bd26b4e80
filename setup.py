"""Puts the start-up line of plugin/ beside the packages; all else is in pyproject.toml."""

from __future__ import annotations

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildPy(build_py):
    """Builds as ever, and copies one file more."""

    START = "carracing_fast.pth"

    def run(self) -> None:
        """Build."""
        super().run()
        self.copy_file(f"plugin/{self.START}", f"{self.build_lib}/{self.START}")

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        """What there is to install."""
        return [*super().get_outputs(include_bytecode), f"{self.build_lib}/{self.START}"]


setup(cmdclass={"build_py": BuildPy})
