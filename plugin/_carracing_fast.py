"""Runs when a Python starts where this is installed, and registers CarRacingFast-v3 once Gymnasium is imported.

Gymnasium before 1.0 registered the environments of its plugin group by itself; since then it leaves that to an import,
which this does in its place. Nothing else is imported here: most programs never want Gymnasium.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType


class _RegistersAfterwards(Loader):
    """Loads a module as another loader does, then registers."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        if module.__spec__:
            module.__loader__ = module.__spec__.loader = (
                self._loader
            )  # what others may ask for more
        self._loader.exec_module(module)
        from gymnasium.envs.registration import register, registry

        if "CarRacingFast-v3" not in registry:
            register("CarRacingFast-v3", entry_point="racing.gym_env:FastCarRacing")


class _WaitsForGymnasium(MetaPathFinder):
    """Finds `gymnasium.envs`, once, and leaves all else to the others."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != "gymnasium.envs":
            return None
        sys.meta_path.remove(self)
        spec = PathFinder.find_spec(name, path, target)
        if spec and spec.loader:
            spec.loader = _RegistersAfterwards(spec.loader)
        return spec


sys.meta_path.insert(0, _WaitsForGymnasium())
