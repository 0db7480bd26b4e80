"""Both kinds of storage give what a mirror needs, and their errors are lines."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from deploy.ports import free_port
from deploy.s3_server import S3Server
from training.mirror.errors import ConflictError, MirrorError
from training.mirror.place import Mirror
from training.mirror.store import BLOCK, Store


def test_objects_come_back(place: str, tmp_path: Path) -> None:
    store, path = Store(place), tmp_path / "large"
    path.write_bytes(os.urandom(2 * BLOCK + 1000))
    sent: list[int] = []
    store.write("a/large", path, sent.append)
    store.write("a/small", b"some")
    store.write("b", b"")
    assert sum(sent) == 2 * BLOCK + 1000 and len(sent) == 3
    assert store.sizes("a") == {"large": 2 * BLOCK + 1000, "small": 4}
    assert b"".join(store.blocks("a/large", store.size("a/large") or 0)) == path.read_bytes()
    store.delete(["a/large", "a/small", "none"])
    assert store.sizes() == {"b": 0}
    assert store.read("a/small") is None and store.size("a/small") is None


def test_only_one_creates_and_only_one_swaps(place: str) -> None:
    def attempt(number: int) -> bool:
        store = Store(place)
        try:
            if version is None:
                store.create("one", str(number).encode())
            else:
                store.swap("one", f"again {number}".encode(), version)
        except ConflictError:
            return False
        return True

    version = None
    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(8))) == 1
    found = Store(place).read("one")
    assert found is not None
    version = found.version
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(attempt, range(8)))
    assert sum(won) == 1
    found = Store(place).read("one")
    assert found and found.data == f"again {won.index(True)}".encode()
    with pytest.raises(ConflictError):
        Store(place).swap("none", b"", version)


def test_the_clock_is_the_servers_and_leaves_nothing(place: str) -> None:
    store = Store(place)
    one = store.clock()
    time.sleep(1.1)
    assert store.clock() > one
    assert store.sizes() == {}


def refusal(url: str) -> str:
    began = time.monotonic()
    with pytest.raises(MirrorError) as e:
        Mirror(url)
    assert time.monotonic() - began < 15
    line = str(e.value)
    assert "\n" not in line and len(line) < 250
    return line


def test_what_does_not_answer_is_one_line(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    assert refusal("s3://other/a") == "s3://other/a: there is no such bucket"
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not the right one")
    line = refusal(f"{s3.url}/a")
    assert "no permission" in line and "not the right one" not in line
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody-known")
    line = refusal(f"{s3.url}/a")
    assert "no permission" in line and "nobody-known" not in line
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    assert refusal("s3://bucket/a") == "s3://bucket/a: nothing listens there"
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://storage.invalid")
    assert "AWS_ALLOW_HTTP" in refusal("s3://bucket/a")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://storage.invalid")
    assert refusal("s3://bucket/a") == "s3://bucket/a: there is no such host"


def test_who_hangs_is_not_waited_for(s3: S3Server) -> None:
    s3.hang()
    try:
        assert "no answer in time" in refusal(f"{s3.url}/a")
    finally:
        s3.go_on()


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("system.extras.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"obstore is not installed; .*\.\[mirror\]"):
        Mirror("s3://bucket/a")


def test_a_folder_must_be_there(tmp_path: Path) -> None:
    """What is not mounted is not made up for."""
    assert "there is no such folder" in refusal((tmp_path / "none").as_uri())
    assert list(tmp_path.iterdir()) == []
