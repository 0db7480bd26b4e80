"""Downloads a run from a mirror into a local folder and verifies every file."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from system.files import write_whole
from system.progress import OnProgress, notify, progress
from training.mirror.lease import LEASE, Lease
from training.mirror.place import newest, note_damaged
from training.mirror.staging import Entry, files_of
from training.mirror.store import HASTY_SECONDS, Store
from training.mirror.upload import steps_in
from training.mirror.url import run_of_url
from training.runs.manifest import MANIFEST, CheckpointError, checked_manifest, file_in_run
from training.runs.names import RunError, umask
from training.runs.run_folder import CHECKPOINTS, CONFIG, ORIGIN, RunFolder

PREFIX = ".fetch-"
MIB = 2**20


class RemoteRun(RunFolder):
    """A run in a mirror that is to be resumed here. Only its settings are downloaded until `fetch` downloads the rest.

    Args:
        mirror: URL of the mirror.
        name: Agent and name of the run, AGENT/NAME.
        runs: The local folder that contains all runs.

    Raises:
        ValueError: If there is no such run, or the mirror does not answer.
    """

    def __init__(self, mirror: str, name: str, runs: Path) -> None:
        self._store, self._name, self._runs = Store(mirror, HASTY_SECONDS), name, runs
        self._aside = tempfile.TemporaryDirectory(prefix="carracing-")
        super().__init__(Path(self._aside.name) / name)
        self.shown = f"{self._store.url}/{name}"
        self.path.mkdir(parents=True)
        for file in (CONFIG, ORIGIN):
            found = self._store.read(f"{name}/{file}")
            if found is None:
                raise RunError(f"{self.shown} is not a run: there is no {file} in it")
            (self.path / file).write_bytes(found.data)

    def newest(self) -> int:
        """Return the decisions of the last checkpoint in the mirror; 0 if there is none."""
        return max(steps_in(self._store.sizes(self._name)), default=0)

    def fetch(self) -> RunFolder:
        """Download the last intact checkpoint and the small files. The local folder appears complete or not at all.

        Returns:
            The local run.

        Raises:
            MirrorError: If another trainer holds the lease, or the server fails.
            CheckpointError: If no checkpoint is intact.
            RunError: If a local run of this name has appeared in the meantime.
            OSError: If the files cannot be written.
        """
        Lease(self._store, self._name).check_not_held()
        store, final = Store(self._store.url), self._runs / self._name
        final.parent.mkdir(parents=True, exist_ok=True)
        for left in final.parent.glob(f"{PREFIX}{final.name}-*"):
            if not RunFolder(left).is_locked():
                shutil.rmtree(left, ignore_errors=True)
        aside = RunFolder(Path(tempfile.mkdtemp(prefix=f"{PREFIX}{final.name}-", dir=final.parent)))
        try:
            aside.path.chmod(0o777 & ~umask())
            aside.lock()
            with progress(f"fetching {self.shown}", "MiB") as on_progress:
                _download(store, self._name, aside.path, self.identity(), on_progress)
            aside.path.rename(final)
        except BaseException as e:
            shutil.rmtree(aside.path, ignore_errors=True)
            if isinstance(e, OSError) and final.exists():
                raise RunError(f"{final} was created in the meantime") from None
            raise
        finally:
            aside.unlock()
        notify(f"{self.shown} was downloaded to {final}")
        return RunFolder(final)


def run_to_go_on_with(url: str, runs: Path) -> RunFolder:
    """Return the run that a URL names: the local copy if it is at least as far along as the mirror, else the mirror's.

    Args:
        url: MIRROR/AGENT/NAME.
        runs: The local folder that contains all runs.

    Raises:
        ValueError: If there is no such run, or a local run of this name is a different one or less far along.
    """
    mirror, agent, name = run_of_url(url)
    theirs = RemoteRun(mirror, f"{agent}/{name}", runs)
    ours = RunFolder(runs / agent / name)
    if not os.path.lexists(ours.path):
        return theirs
    if not ours.is_there() or ours.identity() != theirs.identity():
        raise RunError(f"{ours.path} is in the way: it is a different run from {theirs.shown}")
    here, there = newest(ours), theirs.newest()
    if here < there:
        raise RunError(
            f"{ours.path} has {here:,} decisions, {theirs.shown} has {there:,}: move the one here away,"
            " or choose other --runs"
        )
    return ours


def run_in_mirror(mirror: str, name: str, runs: Path) -> RunFolder | None:
    """Return a run of a mirror by its AGENT/NAME; None if the mirror does not have it."""
    found = Store(mirror, HASTY_SECONDS).read(f"{name}/{CONFIG}")
    return None if found is None else RemoteRun(mirror, name, runs)


def small_paths(sizes: dict[str, int]) -> list[str]:
    """Return those paths of a run's objects that are neither in a checkpoint nor the lease."""
    return [
        p for p in sizes if not p.startswith(f"{CHECKPOINTS}/") and p != LEASE and ".." not in p
    ]


def _download(
    store: Store, name: str, folder: Path, identity: str, on_progress: OnProgress
) -> None:
    sizes = store.sizes(name)
    for path in small_paths(sizes):
        found = store.read(f"{name}/{path}")
        if found is not None:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(found.data)
    problems, damaged, done = list[str](), list[int](), set[Entry]()
    for step in reversed(steps_in(sizes)):
        try:
            _download_checkpoint(store, name, step, folder, identity, done, on_progress)
        except CheckpointError as e:
            notify(f"{e}; trying the previous checkpoint")
            problems.append(str(e))
            damaged.append(step)
            shutil.rmtree(folder / CHECKPOINTS / f"{step:09d}", ignore_errors=True)
            continue
        note_damaged(folder, damaged)
        return
    raise CheckpointError("; ".join(problems) or f"no checkpoint in {store.url}/{name}")


def _download_checkpoint(
    store: Store,
    name: str,
    step: int,
    folder: Path,
    identity: str,
    done: set[Entry],
    on_progress: OnProgress,
) -> None:
    manifest, files = manifest_of(store, name, step, identity)
    total, got = max(sum(e.size for e in files.values()) // MIB, 1), 0
    for path, entry in files.items():
        if entry in done and (folder / path).is_file():
            continue
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        with (folder / path).open("wb") as file:
            for block in checked_blocks(store, f"{name}/{path}", entry):
                file.write(block)
                got += len(block)
                on_progress(got / MIB, total)
            file.flush()
            os.fsync(file.fileno())
        done.add(entry)
    write_whole(folder / file_in_run(MANIFEST, step), manifest)


def manifest_of(
    store: Store, name: str, step: int, identity: str
) -> tuple[bytes, dict[str, Entry]]:
    """Read a checkpoint's manifest.

    Returns:
        Its content, and the files that it lists by their paths within the run.

    Raises:
        CheckpointError: If it is missing or damaged.
    """
    where = f"{store.url}/{name}/{CHECKPOINTS}/{step:09d}"
    found = store.read(f"{name}/{file_in_run(MANIFEST, step)}")
    if found is None:
        raise CheckpointError(f"{where}: there is no manifest")
    return found.data, files_of(checked_manifest(found.data, where, step, identity), step)


def checked_blocks(store: Store, path: str, entry: Entry) -> Iterator[bytes]:
    """Download a file in blocks. The data is verified only once the iterator is exhausted without an error.

    Raises:
        CheckpointError: If the file is missing, or its size or SHA-256 differs from the manifest.
    """
    digest, size = hashlib.sha256(), 0
    where = f"{store.url}/{path}"
    there = store.size(path)
    if there != entry.size:
        found = "missing" if there is None else f"{there} bytes instead of {entry.size}"
        raise CheckpointError(f"{where}: {found}")
    for block in store.blocks(path, entry.size):
        digest.update(block)
        size += len(block)
        yield block
    if size != entry.size or digest.hexdigest() != entry.sha256:
        raise CheckpointError(f"{where}: damaged, its SHA-256 is not the one that was saved")
