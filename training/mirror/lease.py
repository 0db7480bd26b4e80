"""A lease on a run in a mirror, which lets two trainers detect each other: lease.json next to the run's files.

The file names the holder. The holder renews the lease by rewriting the file, on condition that it has not changed since
the last write. Anybody may take over a lease that has not been renewed for a while, by the server's clock.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from system.files import write_whole
from system.times import now
from training.mirror.errors import ConflictError, MirrorError
from training.mirror.store import Found, Store, Version
from training.runs.run_folder import as_json

LEASE = "lease.json"
RENEW_SECONDS = 15.0
EXPIRES_SECONDS = 60.0  # after the last renewal
TRIES = 5  # to take the lease while others try as well
OURS = ".mirror"  # folder in the run's folder, for files that are not mirrored
HOLDER = "holder"


class LeaseError(MirrorError):
    """Another trainer holds the lease."""


class Lease:
    """The lease on one run.

    Args:
        store: The mirror's objects.
        run: Agent and name of the run, AGENT/NAME.
        holder: Identifier of the trainer that wants the lease; None to only check it.
    """

    def __init__(self, store: Store, run: str, holder: str | None = None) -> None:
        self._store, self._path, self._holder = store, f"{run}/{LEASE}", holder
        self._where = f"{store.url}/{run}"
        self._version: Version = {}
        self._since, self._renewals = now(), 0
        self._one_at_a_time = threading.Lock()

    def check_not_held(self) -> Found | None:
        """Check that no other trainer holds the lease.

        Returns:
            The current lease object, which may be taken over; None if there is none.

        Raises:
            LeaseError: If another trainer holds the lease and it has not expired.
        """
        found = self._store.read(self._path)
        if found is None:
            return None
        says = _content(found.data)
        if says.get("released") or (self._holder and says.get("holder") == self._holder):
            return found
        age = (self._store.clock() - found.modified).total_seconds()
        if age > EXPIRES_SECONDS:
            return found
        raise LeaseError(
            f"{self._where} is being trained by {_who(says)}; if that process is dead, its lease expires in"
            f" {EXPIRES_SECONDS - age + 1:.0f} s"
        )

    def take(self) -> None:
        """Acquire the lease.

        Raises:
            LeaseError: If another trainer holds it, or acquires it first.
            MirrorError: If the server does not answer.
        """
        for _ in range(TRIES):
            found = self.check_not_held()
            try:
                if found is None:
                    self._version = self._store.create(self._path, self._says())
                else:
                    self._version = self._store.swap(self._path, self._says(), found.version)
                return
            except ConflictError:
                continue
        raise LeaseError(f"{self._where}: other trainers are trying to take it, too")

    def renew(self, **facts: Any) -> None:
        """Renew the lease.

        Args:
            **facts: Additional entries of lease.json.

        Raises:
            LeaseError: If another trainer has taken it over.
            MirrorError: If the server does not answer; it is then unknown whether the lease was renewed.
        """
        with self._one_at_a_time:
            self._renewals += 1
            try:
                self._version = self._store.swap(self._path, self._says(**facts), self._version)
                return
            except ConflictError:
                found = self._store.read(self._path)
            says = _content(found.data) if found else {}
            if found and says.get("holder") != self._holder:
                raise LeaseError(f"{self._where} was taken over by {_who(says)}")
            try:  # the lease is still ours and only an answer was lost, or somebody deleted the file
                self._version = (
                    self._store.swap(self._path, self._says(**facts), found.version)
                    if found
                    else self._store.create(self._path, self._says(**facts))
                )
            except ConflictError:
                raise LeaseError(f"{self._where} was taken over just now") from None

    def release(self) -> None:
        """Release the lease, so that another trainer can take it at once."""
        self.renew(released=now())

    def _says(self, **facts: Any) -> bytes:
        says = {
            "holder": self._holder,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "since": self._since,
            "renewals": self._renewals,
        }
        return as_json(says | facts)


def holder_of(run: Path, make: bool = False) -> str | None:
    """Return the holder identifier that all trainers of this run's folder use, so that a restart gets its lease back.

    It is bound to the folder's inode, so a copy of the folder gets a different one.

    Args:
        run: Folder of the run.
        make: Whether to create the identifier if there is none.

    Returns:
        The identifier; None if there is none and `make` is false.
    """
    path = run / OURS / HOLDER
    inode = run.stat().st_ino
    try:
        said = json.loads(path.read_bytes())
        if said["folder"] == inode:
            return str(said["holder"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    if not make:
        return None
    holder = secrets.token_hex(8)
    path.parent.mkdir(exist_ok=True)
    write_whole(path, json.dumps({"holder": holder, "folder": inode}).encode())
    return holder


def _content(data: bytes) -> dict[str, Any]:
    try:
        says = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return says if isinstance(says, dict) else {}


def _who(says: Mapping[str, Any]) -> str:
    host, pid, since = (str(says.get(key, "?"))[:100] for key in ("host", "pid", "since"))
    return f"process {pid} on {host} since {since}"
