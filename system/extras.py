"""Packages that only some of what is here needs, and that are therefore not installed with the rest."""

from __future__ import annotations

from importlib.util import find_spec

from system.hints import command


def require(extra: str, *packages: str) -> None:
    """Refuse to begin without some packages; nothing is imported.

    Args:
        extra: Of this project, which brings them.
        packages: Their names, as they are imported.

    Raises:
        ValueError: Naming what is missing and the command that installs it.
    """
    for package in packages:
        found = find_spec(package)
        if found is None or found.origin is None:  # a folder of that name is no package
            install = command("-m", "pip", "install", f".[{extra}]")
            raise ValueError(f"{package} is not installed; {install} brings it")
