"""The scripts that train, from outside: what they can be told, and their command lines."""

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

OF_A_RUN = ("seed", "runs", "name", "resume", "preset")  # what tells runs of one command apart


@dataclass(frozen=True)
class Script:
    """A script that trains.

    Attributes:
        path: Of the file.
        agent: Name of what it trains, and of its folder below runs/.
        presets: Its settings to start from, by name.
    """

    path: Path
    agent: str
    presets: dict[str, RunSettings]


def load_script(path: Path) -> Script:
    """Read a script that trains without running it.

    Args:
        path: Of a file such as DDQN.py.

    Raises:
        ValueError: If it is not there, or is not such a script.
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
    sys.modules[path.stem] = module  # where the types of its settings are looked up
    spec.loader.exec_module(module)
    return module


def words(settings: RunSettings, preset: RunSettings) -> list[str]:
    """The options that make a preset into these settings, without those that tell runs of one command apart."""
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
    """A value as words; a list of lists is written without its brackets."""
    if isinstance(value, tuple):
        for part in value:
            yield from _parts(part)
    else:
        yield str(value)
