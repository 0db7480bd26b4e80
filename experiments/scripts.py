"""Loads training scripts without running them, and makes command lines for them."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from agents.q_agent import QAgent
from training.settings import RunSettings, flat

OF_A_RUN = ("seed", "runs", "name", "resume", "preset")  # set by the command for every run


@dataclass(frozen=True)
class Script:
    """A training script.

    Attributes:
        path: Path of the file.
        agent: Name of the agent that it trains, and of its folder below runs/.
        presets: Its presets, by name.
    """

    path: Path
    agent: str
    presets: dict[str, RunSettings]


def load_script(path: Path) -> Script:
    """Load a training script without running it.

    Args:
        path: Path of a script such as DDQN.py.

    Raises:
        ValueError: If it does not exist, or is not a training script.
    """
    if not path.is_file():
        raise ValueError(f"{path}: no such script")
    try:
        module = _module(path)
        presets = dict(module.PRESETS)
        agent = QAgent.declared_for(type(presets["default"])).__name__
    except Exception as e:
        raise ValueError(f"{path}: not a script that trains: {e}") from None
    return Script(path, agent, presets)


def _module(path: Path) -> ModuleType:
    known = sys.modules.get(path.stem)
    if (
        known is not None
        and Path(getattr(known, "__file__", None) or "").resolve() == path.resolve()
    ):
        return known
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ValueError("it is not Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # needed to resolve the types of its settings
    spec.loader.exec_module(module)
    return module


def words(settings: RunSettings, preset: RunSettings) -> list[str]:
    """Return the options that turn a preset into these settings, without those in OF_A_RUN."""
    line = [] if settings.preset == "default" else ["--preset", settings.preset]
    before = flat(preset)
    for name, value in flat(settings).items():
        if name in OF_A_RUN or value == before[name]:
            continue
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            line.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            line += [f"--{flag}", *_parts(value)]
    return line


def _parts(value: Any) -> Iterator[str]:
    """Yield a value as command-line words; nested lists are flattened."""
    if isinstance(value, tuple):
        for part in value:
            yield from _parts(part)
    else:
        yield str(value)
