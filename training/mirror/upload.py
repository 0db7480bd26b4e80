"""A run's copy in a mirror: the same files at the same paths, so that a mirror in a folder is a folder of runs.

A checkpoint's manifest is uploaded last and deleted first. So whatever is killed, and whenever: every file that a
manifest in the mirror lists exists there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from training.mirror.errors import ConflictError, MirrorError
from training.mirror.lease import LEASE
from training.mirror.staging import Entry, Staged, files_of
from training.mirror.store import OnSent, Store
from training.runs.manifest import MANIFEST, CheckpointError, checked_manifest, file_in_run
from training.runs.run_folder import CHECKPOINTS, CONFIG

_MANIFEST_PATH = re.compile(rf"{CHECKPOINTS}/([0-9]{{9,}})/{MANIFEST}")
# Temporary file of obstore's LocalStore, left by a killed writer.
_LEFT_OVER = re.compile(r"#[0-9]+$")
# The run's ID at a tracker, but not the tracker's own files.
TRACKING = ("tracking/id", "tracking/*.json")


def steps_in(paths: Mapping[str, int]) -> list[int]:
    """Return the decisions of every checkpoint with a manifest among these paths of a run, oldest first."""
    found = (_MANIFEST_PATH.fullmatch(path) for path in paths)
    return sorted(int(match[1]) for match in found if match)


def small_files(run: Path) -> dict[str, Path]:
    """Return the files of a run that are mirrored in addition to its checkpoints, by their paths within the run."""
    paths = [p for p in run.iterdir() if p.is_file() and not p.name.startswith(".")]
    paths += [p for pattern in TRACKING for p in run.glob(pattern)]
    return {str(p.relative_to(run)): p for p in paths if p.name != LEASE}


class MirroredCopy:
    """The copy of a run in a mirror, which the holder of the lease keeps in step with the run's folder.

    Args:
        store: The mirror's objects.
        folder: Folder of the run.
        name: Agent and name of the run, AGENT/NAME.
        identity: Identity of the run, as in its manifests.
        keep: Number of checkpoints to keep in the mirror.

    Attributes:
        there: SHA-256 of files that the mirror is known to have, by their paths within the run.
    """

    def __init__(self, store: Store, folder: Path, name: str, identity: str, keep: int) -> None:
        self._store, self._folder, self._name = store, folder, name
        self._identity, self._keep = identity, keep
        self._manifests: dict[int, bytes] = {}
        self._sent: dict[str, str] = {}
        self._small: dict[str, tuple[int, int]] = {}
        self.there: Mapping[str, str] = {}

    def update(self, staged: Staged | None, fence: Callable[[], None], on_sent: OnSent) -> None:
        """Upload a checkpoint and the small files, and delete checkpoints that are no longer kept.

        Args:
            staged: The checkpoint; None to upload only the small files.
            fence: Called before every irrevocable step; raises an error if another trainer holds the lease.
            on_sent: Called with the number of bytes of every block that was sent.

        Raises:
            MirrorError: If the server does not accept the files, or the lease is lost.
            OSError: If a file cannot be read.
        """
        fence()
        sizes = self._store.sizes(self._name)
        if staged is None:
            self._send_small_files(sizes, on_sent)
            return
        self._read_manifests(sizes)
        for step in [s for s in self._manifests if s > staged.decisions]:
            # The run was resumed from before this checkpoint because it was damaged, and will make it again.
            self._drop_manifest(step)
        mirrored = self._manifests.get(staged.decisions) == staged.manifest
        if not mirrored and staged.decisions in self._manifests:
            self._drop_manifest(staged.decisions)
        self.there = self._known()
        if not mirrored:
            self._send_checkpoint(staged, sizes, on_sent)
        self._send_small_files(sizes, on_sent)
        if not mirrored:
            fence()
            self._create_manifest(staged)
        self._drop_what_is_not_kept()
        self.there = self._known()

    def _read_manifests(self, sizes: Mapping[str, int]) -> None:
        steps = steps_in(sizes)
        self._manifests = {s: m for s, m in self._manifests.items() if s in steps}
        for step in set(steps) - self._manifests.keys():
            found = self._store.read(self._at(file_in_run(MANIFEST, step)))
            if found is not None:
                self._manifests[step] = found.data

    def _listed(self) -> dict[str, Entry]:
        """Return all files that any manifest in the mirror lists.

        Raises:
            CheckpointError: If a manifest is damaged.
        """
        listed: dict[str, Entry] = {}
        for step, data in self._manifests.items():
            where = f"{self._store.url}/{self._name}/{CHECKPOINTS}/{step:09d}"
            listed |= files_of(checked_manifest(data, where, step, self._identity), step)
        return listed

    def _known(self) -> dict[str, str]:
        """Return the SHA-256 of files that need not be sent again.

        The name is not enough: a file of the same name may come from another machine that computed different bits.
        """
        try:
            listed = self._listed()
        except CheckpointError:
            listed = {}
        return {path: e.sha256 for path, e in listed.items()} | self._sent

    def _send_checkpoint(self, staged: Staged, sizes: Mapping[str, int], on_sent: OnSent) -> None:
        for path, entry in staged.files.items():
            if sizes.get(path) == entry.size and self.there.get(path) == entry.sha256:
                continue
            self._sent.pop(path, None)
            try:
                self._store.write(self._at(path), staged.folder / path, on_sent)
            except FileNotFoundError:
                # The file was in the mirror when this was staged, so it was not linked. The next checkpoint links all.
                self.there = {}
                raise MirrorError(f"{self._store.url}/{self._at(path)}: is gone") from None
            self._sent[path] = entry.sha256

    def _send_small_files(self, sizes: Mapping[str, int], on_sent: OnSent) -> None:
        ours = small_files(self._folder)
        for path, file in sorted(ours.items(), key=lambda item: item[0] != CONFIG):
            try:
                stat = file.stat()
                state = (stat.st_size, stat.st_mtime_ns)
                if path in sizes and self._small.get(path) == state:
                    continue
                self._store.write(self._at(path), file.read_bytes(), on_sent)
            except FileNotFoundError:
                continue  # it was replaced a moment ago
            self._small[path] = state
        gone = [
            path
            for path in sizes
            if not path.startswith(f"{CHECKPOINTS}/") and path not in ours and path != LEASE
        ]
        self._store.delete([self._at(path) for path in gone])

    def send_status(self, path: str) -> None:
        """Upload one small file between two checkpoints."""
        data = (self._folder / path).read_bytes()
        self._store.write(self._at(path), data)

    def _create_manifest(self, staged: Staged) -> None:
        path = self._at(file_in_run(MANIFEST, staged.decisions))
        try:
            self._store.create(path, staged.manifest)
        except ConflictError:
            found = self._store.read(path)
            if found is None or found.data != staged.manifest:
                raise MirrorError(f"{self._store.url}/{path}: another trainer wrote it") from None
        self._manifests[staged.decisions] = staged.manifest

    def _drop_manifest(self, step: int) -> None:
        self._store.delete([self._at(file_in_run(MANIFEST, step))])
        del self._manifests[step]

    def _drop_what_is_not_kept(self) -> None:
        """Delete old manifests, then all files that no manifest lists; if a manifest is damaged, no such files."""
        for step in sorted(self._manifests)[: -self._keep]:
            self._drop_manifest(step)
        try:
            listed = self._listed()
        except CheckpointError:
            return
        kept = listed.keys() | {file_in_run(MANIFEST, step) for step in self._manifests}
        sizes = self._store.sizes(self._name)
        gone = [p for p in sizes if p.startswith(f"{CHECKPOINTS}/") and p not in kept]
        self._store.delete([self._at(path) for path in gone])
        self._sent = {path: e for path, e in self._sent.items() if path in kept}
        if self._store.folder is not None:
            for path in (self._store.folder / self._name).rglob("*#*"):
                if _LEFT_OVER.search(path.name):
                    path.unlink(missing_ok=True)

    def _at(self, path: str) -> str:
        return f"{self._name}/{path}"
