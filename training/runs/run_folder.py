"""The folder of a run, with its settings and results, and a lock so that only one trainer writes to it."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from system.files import sha256, write_whole
from system.times import now, parse
from training.runs.compat import ADDED, renamed
from training.runs.names import RunError, check_new, put, umask
from training.runs.origin import differences, origin

BEST, TESTS, CHECKPOINTS = "best.safetensors", "test.csv", "checkpoints"
EPISODES, VALIDATIONS = "episodes.csv", "validation.csv"
CONFIG, ORIGIN, LOCK = "config.json", "origin.json", ".lock"
# What may change on a resume: location and length of a run, but not what it learns.
FREE_ON_RESUME = {
    *("decisions", "until_score", "patience", "hours", "test_episodes"),
    *("workers", "device", "resume", "runs", "name", "keep_checkpoints", "track"),
    *("pool", "address", "mirror_to"),
}
KEPT_ON_RESUME = FREE_ON_RESUME - {"resume", "runs", "name"}


class RunFolder:
    """A run's folder.

    Attributes:
        path: The folder.
        shown: Its location for messages: the folder, or the mirror that its files were fetched from.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.shown = path, str(path)
        self._lock: int | None = None

    @classmethod
    def create(
        cls, runs: Path, agent: str, name: str, config: dict[str, Any], **facts: Any
    ) -> RunFolder:
        """Create the folder of a new run, with its settings, atomically.

        Args:
            runs: Folder that contains all runs.
            agent: Name of the script.
            name: Name of the run; if empty, made from the time (UTC) and the seed.
            config: The settings, by flat names.
            facts: Further entries of origin.json.

        Raises:
            RunError: If the name is invalid, or the folder exists or cannot be written.
        """
        check_new(runs, agent, name)
        try:
            (runs / agent).mkdir(parents=True, exist_ok=True)
            aside = Path(tempfile.mkdtemp(prefix=".new-", dir=runs / agent))
        except FileExistsError as e:
            raise RunError(f"{e.filename} is in the way: it is not a folder") from None
        except OSError as e:
            raise RunError(
                f"cannot make {runs / agent}: {e.strerror}; choose another --runs"
            ) from None
        try:
            aside.chmod(0o777 & ~umask())
            run = cls(aside)
            run.lock()
            write_whole(aside / ORIGIN, as_json(origin(agent) | facts))
            write_whole(aside / CONFIG, as_json(config))
            run.path = put(aside, runs / agent, name, config.get("seed", 0))
            run.shown = str(run.path)
        except BaseException as e:  # including signals
            shutil.rmtree(aside, ignore_errors=True)
            if isinstance(e, OSError):
                raise RunError(
                    f"cannot write to {runs / agent}: {e.strerror}; choose another --runs"
                ) from None
            raise
        return run

    def fetch(self) -> RunFolder:
        """Return the run itself; subclasses for runs in a mirror download it."""
        return self

    def discard(self) -> None:
        """Remove a new run that was not trained."""
        self.unlock()
        shutil.rmtree(self.path, ignore_errors=True)

    def is_there(self) -> bool:
        """Return whether the run exists."""
        return (self.path / CONFIG).is_file()

    def config(self) -> dict[str, Any]:
        """Return the settings of the run by their current names; the changeable ones have their last values."""
        return ADDED | renamed(_read(self.path / CONFIG))

    def identity(self) -> str:
        """Return the identity of the run in its checkpoints; runs that learn the same are equal."""
        return identity_of(_read(self.path / CONFIG))

    def has_begun(self) -> bool:
        """Return whether the run made any decisions; one that was killed before that starts over."""
        log = self.path / EPISODES
        return log.is_file() and log.read_bytes().count(b"\n") > 1

    def other_surroundings(self, device: str) -> list[str]:
        """Return what has changed since the run was started and may change the last bits of its result.

        Args:
            device: What learns now.

        Raises:
            RunError: If the run did not record it.
        """
        try:
            return differences(self.origin(), device)
        except (TypeError, AttributeError):
            raise RunError(f"{self.path / ORIGIN}: not a file that a run writes") from None

    def check_settings(self, config: dict[str, Any]) -> None:
        """Check settings, by their flat names, against those of the run.

        Raises:
            RunError: If it would be another run; the message names the differences.
        """
        ours, theirs = json.loads(as_json(config)), self.config()
        different = [
            f"{key} was {theirs.get(key)!r}, now {ours.get(key)!r}"
            for key in sorted(set(ours) | set(theirs))
            if key not in FREE_ON_RESUME and ours.get(key) != theirs.get(key)
        ]
        if different:
            raise RunError(f"{self.shown} has other settings: {'; '.join(different)}")

    def go_on_with(self, config: dict[str, Any]) -> None:
        """Record settings that were changed on a resume, so that they also apply the next time.

        Raises:
            RunError: If it cannot be written.
        """
        then = _read(self.path / CONFIG)
        new = then | {key: config[key] for key in KEPT_ON_RESUME if key in config}
        try:
            if new != then:
                write_whole(self.path / CONFIG, as_json(new))
        except OSError as e:
            raise RunError(f"cannot write to {self.path}: {e.strerror}") from None

    def origin(self) -> dict[str, Any]:
        """Return the origin of the run, and what was recorded since."""
        return _read(self.path / ORIGIN)

    @property
    def full_name(self) -> str:
        """Agent and name, such as DDQN/race."""
        return f"{self.path.parent.name}/{self.path.name}"

    @property
    def agent(self) -> str:
        """The script that made it."""
        return str(self.origin().get("agent", ""))

    @property
    def started(self) -> float:
        """Return its recorded start time, seconds since 1970; 0 if there is none."""
        with contextlib.suppress(RunError, ValueError):
            return parse(self.origin().get("started")).timestamp()
        return 0.0

    def is_finished(self) -> bool:
        """Return whether the run is complete, including the test with its current best weights."""
        with contextlib.suppress(RunError, OSError):
            tested = self.origin().get("tested")
            return tested is not None and tested == sha256((self.path / BEST).read_bytes())
        return False

    def drove_on(self, processors: dict[str, int]) -> None:
        """Record the kinds of CPU of workers on other machines, and the number of workers of each."""
        self._note(processors=processors)

    def resumed(self) -> None:
        """Record that the run was resumed: the time from its start to its end is then meaningless."""
        self._note(resumed=now())

    def finish(self, weights: bytes) -> None:
        """Record that the run is complete: these weights drove the test tracks."""
        self._note(finished=now(), tested=sha256(weights))

    def _note(self, **facts: Any) -> None:
        write_whole(self.path / ORIGIN, as_json(self.origin() | facts))

    def lock(self) -> None:
        """Lock the run against other trainers until `unlock`, or until this process ends in any way.

        Raises:
            RunError: If another trainer has locked it.
        """
        lock_file = self.path / LOCK
        try:
            lock = os.open(lock_file, os.O_CREAT | os.O_RDWR, 0o644)
        except OSError as e:
            raise RunError(f"cannot write to {self.path}: {e.strerror}") from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise RunError(f"{self.path} is being trained by another process") from None
        except OSError as e:
            os.close(lock)
            hint = ""
            if e.errno in (errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK, errno.EINVAL):
                hint = "; this file system has no locks: choose --runs on a local disk"
            raise RunError(f"cannot lock {lock_file}: {e.strerror}{hint}") from None
        self._lock = lock

    def unlock(self) -> None:
        """Release the lock."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def is_locked(self) -> bool:
        """Return whether a trainer is working on the run, as far as this machine can tell."""
        try:
            lock = os.open(self.path / LOCK, os.O_RDONLY)
        except OSError:
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
        finally:
            os.close(lock)
        return False


def identity_of(config: dict[str, Any]) -> str:
    """Return the identity of a run with this config.json."""
    return sha256(as_json({k: v for k, v in config.items() if k not in FREE_ON_RESUME}))


def _read(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as e:
        raise RunError(f"{path}: missing or damaged ({e})") from None
    if not isinstance(data, dict):
        raise RunError(f"{path}: not a file that a run writes")
    return data


def as_json(value: Any) -> bytes:
    """Encode a value as JSON, in the format of a run's files."""
    return (json.dumps(value, indent=1, default=str) + "\n").encode()
