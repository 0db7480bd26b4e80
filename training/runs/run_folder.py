"""The folder of a run: what it was, what came of it, and a lock so that only one trainer writes there."""

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

BEST, CHECKPOINTS = "best.safetensors", "checkpoints"
CONFIG, ORIGIN, LOCK = "config.json", "origin.json", ".lock"
# What may change on a resume: where and how far a run goes, not what it learns.
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
        shown: Where people find it, in messages: the folder, or the mirror that its files were fetched from.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.shown = path, str(path)
        self._lock: int | None = None

    @classmethod
    def create(
        cls, runs: Path, agent: str, name: str, config: dict[str, Any], **facts: Any
    ) -> RunFolder:
        """Make the folder of a new run and write down what it is: the folder is there whole, or not at all.

        Args:
            runs: Folder of all runs.
            agent: Name of the script.
            name: Of the run; made of the time (UTC) and the seed if empty.
            config: The settings by their flat names.
            facts: What else origin.json is to say.

        Raises:
            RunError: If the name is not a plain one, the folder exists or cannot be written.
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
        except BaseException as e:  # a signal, too
            shutil.rmtree(aside, ignore_errors=True)
            if isinstance(e, OSError):
                raise RunError(
                    f"cannot write to {runs / agent}: {e.strerror}; choose another --runs"
                ) from None
            raise
        return run

    def fetch(self) -> RunFolder:
        """Itself: it is here; a run in a mirror is downloaded."""
        return self

    def discard(self) -> None:
        """Take a new run back, which nobody has trained."""
        self.unlock()
        shutil.rmtree(self.path, ignore_errors=True)

    def is_there(self) -> bool:
        """Whether there is a run."""
        return (self.path / CONFIG).is_file()

    def config(self) -> dict[str, Any]:
        """The settings of the run by today's names; what is free, as it was told last."""
        return ADDED | renamed(_read(self.path / CONFIG))

    def identity(self) -> str:
        """What tells its checkpoints from another run's: runs that learn the same are the same run."""
        return identity_of(_read(self.path / CONFIG))

    def has_begun(self) -> bool:
        """Whether it drove at all; one that was killed before starts over."""
        log = self.path / "episodes.csv"
        return log.is_file() and log.read_bytes().count(b"\n") > 1

    def other_surroundings(self) -> list[str]:
        """What was different when the run was started, and may change the last bits of its result.

        Raises:
            RunError: If the run does not say.
        """
        try:
            return differences(self.origin())
        except (TypeError, AttributeError):
            raise RunError(f"{self.path / ORIGIN}: not a file that a run writes") from None

    def check_settings(self, config: dict[str, Any]) -> None:
        """Check that settings, by their flat names, are those of the run.

        Raises:
            RunError: Naming every difference that would make it another run.
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
        """Note what was changed on a resume, so that it holds the next time too.

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
        """Where the run came from, and what was noted of its way since."""
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
        """When it was started, as it says itself, seconds since 1970; 0 if it does not say."""
        with contextlib.suppress(RunError, ValueError):
            return parse(self.origin().get("started")).timestamp()
        return 0.0

    def is_finished(self) -> bool:
        """Whether its last thing was done, with the weights that are there now."""
        with contextlib.suppress(RunError, OSError):
            tested = self.origin().get("tested")
            return tested is not None and tested == sha256((self.path / BEST).read_bytes())
        return False

    def drove_on(self, processors: dict[str, int]) -> None:
        """Note the kinds of CPU that workers of other machines had, and how many workers each."""
        self._note(processors=processors)

    def resumed(self) -> None:
        """Note that it goes on from a checkpoint: its time from start to end says nothing any more."""
        self._note(resumed=now())

    def finish(self, weights: bytes) -> None:
        """Note when the last thing of the run was done: these weights drove the test tracks."""
        self._note(finished=now(), tested=sha256(weights))

    def _note(self, **facts: Any) -> None:
        write_whole(self.path / ORIGIN, as_json(self.origin() | facts))

    def lock(self) -> None:
        """Keep other trainers out until `unlock`, or until this process ends, however it ends.

        Raises:
            RunError: If another one is at work.
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
        """Let other trainers in."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def is_locked(self) -> bool:
        """Whether a trainer is at work there, as far as this machine can tell."""
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
    """What tells a run with this config.json from others."""
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
    """As it is written into a run."""
    return (json.dumps(value, indent=1, default=str) + "\n").encode()
