"""Optional packages, which only some features need and which are not installed by default."""

from __future__ import annotations

from importlib.util import find_spec

from system.hints import command


def require(extra: str, *packages: str) -> None:
    """Check that packages are installed, without importing them.

    Args:
        extra: The extra of this project that installs them.
        packages: Their import names.

    Raises:
        ValueError: If one is missing; the message has the command that installs it.
    """
    for package in packages:
        found = find_spec(package)
        if found is None or found.origin is None:  # a mere folder of that name is not the package
            install = command("-m", "pip", "install", f".[{extra}]")
            raise ValueError(f"{package} is not installed; install it with {install}")
