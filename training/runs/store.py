"""Finds the runs below a folder: by index, name, part of a name, glob or path."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path

from training.runs.names import RunError
from training.runs.run_folder import CONFIG, RunFolder


class Runs:
    """The runs below a folder, over all scripts: ROOT/AGENT/NAME.

    Args:
        root: Folder that contains all runs.
        agent: Only the runs of this script, if given.
    """

    def __init__(self, root: Path | str = "runs", agent: str = "") -> None:
        self.root, self._agent = Path(root), agent

    def all(self) -> list[RunFolder]:
        """Return all runs by recorded start time, oldest first; ties are ordered by name."""
        pattern = f"{self._agent or '*'}/*/{CONFIG}"
        found = [RunFolder(path.parent) for path in self.root.glob(pattern)]
        return sorted((r for r in found if not r.path.name.startswith(".")), key=_order)

    def resolve(self, wanted: str) -> RunFolder:
        """Return the one run that `wanted` means.

        Args:
            wanted: An index into `all()` (-1 is the newest), a name, a unique part of one, a glob, or a path.

        Raises:
            RunError: If it means no run, or more than one.
        """
        found = self.matching(wanted)
        if len(found) > 1:
            names = ", ".join(str(run.path) for run in found[:5])
            more = f" and {len(found) - 5} more" if len(found) > 5 else ""
            raise RunError(f"{wanted!r} could be {names}{more}: give more of its name")
        return found[0]

    def matching(self, wanted: str) -> list[RunFolder]:
        """Return all runs that `wanted` means: as `resolve`, but a glob or a part of a name may mean several.

        Raises:
            RunError: If there is none.
        """
        path = Path(wanted)
        if os.path.isfile(path / CONFIG):  # unlike Path.is_file, no error if the name is too long
            return [RunFolder(path)]
        runs = self.all()
        if wanted == "latest":
            wanted = "-1"
        if re.fullmatch(r"-?[0-9]{1,4}", wanted):
            try:
                return [runs[int(wanted)]]
            except IndexError:
                raise RunError(
                    f"no run {wanted} in {self._where()}: there are {len(runs)}"
                ) from None
        for fits in (_is, _is_in_glob, is_part):
            if wanted and (found := [r for r in runs if fits(r.full_name, wanted)]):
                return found
        if os.path.exists(path):
            raise RunError(f"{path} is not a run: there is no {CONFIG} in it")
        raise RunError(f"no run {wanted!r} in {self._where()}")

    def matching_any(self, wanted: Iterable[str]) -> list[RunFolder]:
        """Return all runs that these mean, as in `matching`, in order; a run that is meant twice is returned twice.

        Raises:
            RunError: If one of them means no run.
        """
        return [run for one in wanted for run in self.matching(one)]

    def _where(self) -> Path | str:
        return self.root / self._agent if self._agent else self.root


def _is(name: str, wanted: str) -> bool:
    return wanted in (name, name.partition("/")[2])


def _is_in_glob(name: str, wanted: str) -> bool:
    return fnmatchcase(name, wanted) or fnmatchcase(name.partition("/")[2], wanted)


def is_part(name: str, wanted: str) -> bool:
    """Return whether a text is a part of the name of a run; with the agent included, `DQN/` does not match `DDQN/`."""
    return name.startswith(wanted) if "/" in wanted else wanted in name


def _order(run: RunFolder) -> tuple[float, str]:
    return run.started, run.path.name
