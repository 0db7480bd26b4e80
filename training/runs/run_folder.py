"""The folder of a run: what it was, what came of it, and a lock so that only one trainer writes there."""

from __future__ import annotations

import dataclasses
import fcntl
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from system.files import sha256, write_whole

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_LIBRARIES = ("gymnasium", "tensorflow", "keras", "numpy", "opencv-python-headless", "box2d")
# What a resumed run may be told anew: where and how far it runs, not what it learns.
FREE_ON_RESUME = {"decisions", "workers", "device", "resume", "runs", "name", "test_episodes"}
_KEPT_ON_RESUME = FREE_ON_RESUME - {"resume", "runs", "name"}


class RunError(ValueError):
    """A run folder that cannot be used, and why."""


class RunFolder:
    """A run's folder.

    Attributes:
        path: The folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: int | None = None

    @classmethod
    def create(cls, runs: Path, agent: str, name: str, settings: Any) -> RunFolder:
        """Make the folder of a new run and write down what it is.

        Raises:
            RunError: If the name is not a plain one, the folder exists or cannot be written.
        """
        name = name or f"{time.strftime('%Y%m%d-%H%M%S')}-seed{settings.seed}"
        if not _NAME.fullmatch(name):
            raise RunError(f"a run's name is letters, digits, '.', '_' and '-', got {name!r}")
        path = runs / agent / name
        if not str(path).isprintable():
            raise RunError(f"not a path that everything here can handle: {str(path)!r}")
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            raise RunError(f"{path} exists: choose another --name, or --resume {path}") from None
        except OSError as e:
            raise RunError(f"cannot make {path}: {e.strerror}; choose another --runs") from None
        run = cls(path)
        try:
            run.lock()
            write_whole(path / "origin.json", _as_json(_origin(agent)))
            write_whole(path / "config.json", _as_json(dataclasses.asdict(settings)))
        except BaseException as e:  # a signal, too
            shutil.rmtree(path)
            if isinstance(e, OSError):
                raise RunError(
                    f"cannot write to {path}: {e.strerror}; choose another --runs"
                ) from None
            raise
        return run

    @classmethod
    def find(cls, runs: Path, agent: str, wanted: str) -> RunFolder:
        """The run to resume: a folder, or `latest` of this agent.

        Raises:
            RunError: If there is none, or it is another agent's.
        """
        if wanted == "latest":
            folders = [p.parent for p in (runs / agent).glob("*/config.json")]
            if not folders:
                raise RunError(f"no run to resume in {runs / agent}")
            path = max(folders, key=lambda p: p.stat().st_mtime)
        else:
            path = Path(wanted)
        if not (path / "config.json").is_file():
            raise RunError(
                f"{path} is not a run: there is no config.json; use a run's folder or 'latest'"
            )
        run = cls(path)
        made_by = run.origin().get("agent")
        if made_by != agent:
            raise RunError(f"{path} was made by {made_by}.py; resume it with that")
        return run

    def config(self) -> dict[str, Any]:
        """The settings of the run; what is free, as it was told last."""
        return _read(self.path / "config.json")

    def identity(self) -> str:
        """What tells its checkpoints from another run's: runs that learn the same are the same run."""
        config = {k: v for k, v in self.config().items() if k not in FREE_ON_RESUME}
        return sha256(_as_json(config))

    def has_begun(self) -> bool:
        """Whether it drove at all; one that was killed before begins anew."""
        log = self.path / "episodes.csv"
        return log.is_file() and log.read_bytes().count(b"\n") > 1

    def other_versions(self) -> list[str]:
        """What was different when the run was started, and may change the last bits of its result.

        Raises:
            RunError: If the run does not say.
        """
        path = self.path / "origin.json"
        try:
            then, now = (
                {k: o.get(k) for k in ("commit", "python", "processor")} | o.get("versions", {})
                for o in (_read(path), _origin(""))
            )
        except TypeError:
            raise RunError(f"{path}: not what a run writes") from None
        return [f"{k} was {then[k]}, now {now.get(k)}" for k in then if then[k] != now.get(k)]

    def refuse_other_settings(self, settings: Any) -> None:
        """Compare settings with those of the run.

        Raises:
            RunError: Naming every difference that would make it another run.
        """
        ours = json.loads(_as_json(dataclasses.asdict(settings)))
        theirs = self.config()
        different = [
            f"{key} was {theirs.get(key)!r}, now {ours.get(key)!r}"
            for key in sorted(set(ours) | set(theirs))
            if key not in FREE_ON_RESUME and ours.get(key) != theirs.get(key)
        ]
        if different:
            raise RunError(f"{self.path} has other settings: {'; '.join(different)}")

    def go_on_with(self, settings: Any) -> None:
        """Note what a resumed run was told anew, so that it holds the next time too.

        Raises:
            RunError: If it cannot be written.
        """
        then = self.config()
        now = then | {key: getattr(settings, key) for key in _KEPT_ON_RESUME}
        try:
            if now != then:
                write_whole(self.path / "config.json", _as_json(now))
        except OSError as e:
            raise RunError(f"cannot write to {self.path}: {e.strerror}") from None

    def origin(self) -> dict[str, Any]:
        """Where the run came from, and what was noted of its way since."""
        return _read(self.path / "origin.json")

    def resumed(self) -> None:
        """Note that it goes on from a checkpoint: its time from start to end says nothing any more."""
        self._note(resumed=_now())

    def finish(self, weights: bytes) -> None:
        """Note when the last thing of the run was done: these weights drove the test tracks."""
        self._note(finished=_now(), tested=sha256(weights))

    def _note(self, **facts: Any) -> None:
        write_whole(self.path / "origin.json", _as_json(self.origin() | facts))

    def lock(self) -> None:
        """Keep other trainers out until this process ends, however it ends.

        Raises:
            RunError: If another one is at work.
        """
        lock_file = self.path / ".lock"
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
            raise RunError(f"cannot lock {lock_file}: {e.strerror}") from None
        self._lock = lock


def _read(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as e:
        raise RunError(f"{path}: missing or damaged ({e})") from None
    if not isinstance(data, dict):
        raise RunError(f"{path}: not what a run writes")
    return data


def _as_json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, default=str) + "\n").encode()


def _origin(agent: str) -> dict[str, Any]:
    return {
        "agent": agent,
        "started": _now(),
        "commit": _commit(),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "processor": processor(),
        "versions": {name: version(name) for name in _LIBRARIES},
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
    }


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")


def processor() -> str:
    """The kind of CPU: the last bits of what a network computes depend on it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    facts = {key.strip(): value.strip() for key, _, value in (x.partition(":") for x in lines)}
    wide = [f for f in ("avx512f", "avx2") if f in facts.get("flags", "").split()]
    names = [name for name in ("model name", "cpu family", "model") if name in facts]
    return ", ".join([*(facts[name] for name in names), *wide[:1]])


def _commit() -> str:
    """The commit of this program, with a mark when files were changed since; an image is told its own."""
    here = Path(__file__).parents[2]
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40", "--match="],
            cwd=here,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return os.environ.get("SOURCE_COMMIT", "unknown")
    return described.stdout.strip()
