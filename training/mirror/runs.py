"""Finds runs below a local folder or in a mirror; of a mirror's runs, only the small files are downloaded."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from system.progress import OnProgress
from training.mirror.fetch import checked_blocks, manifest_of, small_paths
from training.mirror.staging import Entry
from training.mirror.store import HASTY_SECONDS, Store
from training.mirror.upload import steps_in
from training.mirror.url import is_url
from training.runs.label import LABEL
from training.runs.manifest import CheckpointError
from training.runs.names import RunError
from training.runs.run_folder import CONFIG, ORIGIN, TESTS, VALIDATIONS, RunFolder
from training.runs.store import Runs
from training.runs.verify import problems_of_best, verify_run
from training.tracking.status import STATUS

# The files that `runs.py list` needs.
LISTED = (CONFIG, ORIGIN, STATUS, VALIDATIONS, TESTS, LABEL)
AT_ONCE = 8  # requests


class MirroredRun(RunFolder):
    """A run in a mirror, with copies of its small files in a temporary folder.

    Args:
        path: The temporary folder.
        runs: The runs of the mirror; the folder is deleted together with this object.
    """

    def __init__(self, path: Path, runs: MirroredRuns) -> None:
        super().__init__(path)
        self.runs, self.shown = runs, f"{runs.url}/{self.full_name}"

    def fetch_small_files(self) -> None:
        """Download all files that are not in a checkpoint."""
        self.runs.fetch(f"{self.full_name}/{path}" for path in small_paths(self.sizes()))

    def sizes(self) -> dict[str, int]:
        """Return the size of every object in bytes, by its path within the run."""
        start = f"{self.full_name}/"
        return {p[len(start) :]: n for p, n in self.runs.sizes.items() if p.startswith(start)}


class MirroredRuns(Runs):
    """The runs in a mirror.

    Args:
        url: URL of the mirror.

    Raises:
        ValueError: If it is not a valid URL of a mirror, or the mirror does not answer.
    """

    def __init__(self, url: str) -> None:
        self.store = Store(url, HASTY_SECONDS)
        self.url, self.sizes = self.store.url, self.store.sizes()
        self._folder = tempfile.TemporaryDirectory(prefix="carracing-")
        super().__init__(self._folder.name)
        for path, size in self.sizes.items():
            if path.count("/") >= 2 and ".." not in path:
                self._stand_in(path, size)
        listed = [p for p in self.sizes if p.count("/") == 2 and p.rpartition("/")[2] in LISTED]
        self.fetch(listed)

    def _stand_in(self, path: str, size: int) -> None:
        """Create a sparse placeholder file of this size, so that sizes of runs are reported correctly."""
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("wb") as file:
            file.truncate(size)

    def fetch(self, paths: Iterable[str]) -> None:
        """Download files over their placeholders; objects that no longer exist are skipped."""

        def one(path: str) -> None:
            found = self.store.read(path)
            if found is not None:
                (self.root / path).write_bytes(found.data)

        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(one, paths))

    def all(self) -> list[RunFolder]:
        """Return all runs, in the same order as for a local folder."""
        return [MirroredRun(run.path, self) for run in super().all()]

    def matching(self, wanted: str) -> list[RunFolder]:
        """Return the runs that `wanted` means, as for a local folder or by URL, and download all their small files.

        Raises:
            RunError: If there is none, or the URL is not in this mirror.
        """
        if is_url(wanted):
            if not wanted.startswith(f"{self.url}/"):
                raise RunError(f"{wanted} is not in {self.url}")
            wanted = wanted.removeprefix(f"{self.url}/").rstrip("/")
        found = super().matching(wanted)
        for run in found:
            if isinstance(run, MirroredRun):
                run.fetch_small_files()
        return found

    def _where(self) -> str:
        return self.url


def runs_at(where: str) -> Runs:
    """Return the runs below a local folder, or in a mirror if `where` is a URL.

    Raises:
        ValueError: If it is not a valid URL of a mirror, or the mirror does not answer.
    """
    return MirroredRuns(where) if is_url(where) else Runs(where)


def verify(run: RunFolder, on_progress: OnProgress) -> list[str]:
    """Verify a run by reading every file of every checkpoint.

    Args:
        run: A run in a local folder or in a mirror.
        on_progress: Called with the number of checkpoints read and their total; only for a mirror.

    Returns:
        One line per problem.
    """
    if not isinstance(run, MirroredRun):
        return verify_run(run)
    found, checked = list[str](), dict[str, Entry]()
    store, name = Store(run.runs.url), run.full_name
    steps = steps_in(run.sizes())
    for number, step in enumerate(steps):
        try:
            _, files = manifest_of(store, name, step, run.identity())
            for done, (path, entry) in enumerate(files.items()):
                on_progress(number + done / len(files), len(steps))
                if checked.get(path) != entry:
                    for _ in checked_blocks(store, f"{name}/{path}", entry):
                        on_progress(number + done / len(files), len(steps))
                    checked[path] = entry
        except CheckpointError as e:
            found.append(str(e))
    return found + problems_of_best(run)
