"""The operations on object storage that a mirror needs; errors become one line without secrets."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from system.extras import require
from training.mirror.errors import ConflictError, MirrorError, reason
from training.mirror.url import checked_url

if TYPE_CHECKING:
    from obstore.store import ObjectStore

PATIENT_SECONDS, HASTY_SECONDS = 60, 4  # time limits of one request
CONNECT_SECONDS = 3
RETRIES, RETRY_SECONDS = 2, 3
BLOCK = 5 * 2**20  # bytes per request; the smallest part size that S3 accepts in a multipart upload
PARALLEL = 2  # blocks sent at the same time; each takes memory
LOOPBACK = ("127.0.0.1", "localhost", "::1")
PROBE = ".probe-"
Version = dict[str, str | None]
OnSent = Callable[[int], None]


@dataclass(frozen=True)
class Found:
    """An object that was read.

    Attributes:
        data: Its content.
        version: Its version, which `swap` compares.
        modified: Time of the last write, by the server's clock.
    """

    data: bytes
    version: Version
    modified: datetime


class Store:
    """A mirror's objects, by their paths below its URL. All methods raise `MirrorError` if the server fails.

    Args:
        url: URL of the mirror.
        seconds: Time limit of one request.

    Raises:
        ValueError: If the URL is invalid, the package is missing, or a folder as a mirror does not exist.
    """

    def __init__(self, url: str, seconds: int = PATIENT_SECONDS) -> None:
        self.url = checked_url(url)
        require("mirror", "obstore")
        parts = urlsplit(self.url)
        self.folder = Path(unquote(parts.path)) if parts.scheme == "file" else None
        with self._errors():
            self._store = self._opened(seconds)

    def _opened(self, seconds: int) -> ObjectStore:
        from obstore.store import LocalStore, from_url

        if self.folder is not None:
            # Never created here: a network disk may simply not be mounted.
            if not self.folder.is_dir():
                raise MirrorError(f"{self.url}: there is no such folder")
            return LocalStore(self.folder, automatic_cleanup=True)
        client: dict[str, Any] = {
            "connect_timeout": timedelta(seconds=CONNECT_SECONDS),
            "timeout": timedelta(seconds=seconds),
        }
        if _is_loopback(self.url):
            client["allow_http"] = True
        wait = {"init_backoff": timedelta(seconds=0.2), "max_backoff": timedelta(seconds=2)}
        retry: Any = {
            "max_retries": RETRIES,
            "retry_timeout": timedelta(seconds=RETRY_SECONDS),
            "backoff": wait,
        }
        return from_url(self.url, client_options=client, retry_config=retry)  # type: ignore[call-overload,no-any-return]

    def read(self, path: str) -> Found | None:
        """Read an object; None if it does not exist."""
        import obstore

        try:
            with self._errors():
                got = obstore.get(self._store, path)
                return Found(bytes(got.bytes()), _version(got.meta), got.meta["last_modified"])
        except FileNotFoundError:
            return None

    def size(self, path: str) -> int | None:
        """Return the size of an object in bytes; None if it does not exist."""
        import obstore

        try:
            with self._errors():
                return obstore.head(self._store, path)["size"]
        except FileNotFoundError:
            return None

    def blocks(self, path: str, size: int) -> Iterator[bytes]:
        """Read an object of a known size in blocks, one request each, because the time of a request is limited.

        Raises:
            MirrorError: If the object does not exist, or the server fails.
        """
        import obstore

        for start in range(0, size, BLOCK):
            end = min(start + BLOCK, size)
            try:
                with self._errors():
                    block = bytes(obstore.get_range(self._store, path, start=start, end=end))
            except FileNotFoundError:
                raise MirrorError(f"{self.url}/{path}: is gone") from None
            yield block

    def write(self, path: str, content: bytes | Path, on_sent: OnSent = lambda _: None) -> None:
        """Write an object atomically, replacing an existing one.

        Args:
            path: Path of the object.
            content: The content, or a local file.
            on_sent: Called with the number of bytes of every block that was sent.

        Raises:
            MirrorError: If the server does not accept it.
            OSError: If the file cannot be read.
        """
        import obstore

        with self._errors(of_bucket=True):
            if isinstance(content, Path) and content.stat().st_size > BLOCK:
                blocks = _blocks(content, on_sent)
                obstore.put(self._store, path, blocks, chunk_size=BLOCK, max_concurrency=PARALLEL)
                return
            data = content.read_bytes() if isinstance(content, Path) else content
            obstore.put(self._store, path, data, use_multipart=False)
        on_sent(len(data))

    def create(self, path: str, data: bytes) -> Version:
        """Create an object, only if it does not exist.

        Raises:
            ConflictError: If it exists.
        """
        return self._put(path, data, "create")

    def swap(self, path: str, data: bytes, version: Version) -> Version:
        """Replace an object, only if it still has this version (compare-and-swap).

        In a folder, a lock on a file next to the object makes this atomic among all machines whose file system shares
        locks.

        Raises:
            ConflictError: If the object has been changed or deleted.
        """
        if self.folder is None:
            return self._put(path, data, {k: v for k, v in version.items() if v is not None})
        import obstore

        with _locked(self.folder / path):
            with self._errors():
                try:
                    now = _version(obstore.head(self._store, path))
                except FileNotFoundError:
                    raise ConflictError from None
            if now != version:
                raise ConflictError
            return self._put(path, data, "overwrite")

    def _put(self, path: str, data: bytes, mode: Any) -> Version:
        import obstore

        with self._errors(of_bucket=True):
            return _version(obstore.put(self._store, path, data, mode=mode, use_multipart=False))

    def delete(self, paths: Sequence[str]) -> None:
        """Delete objects; it is not an error if they no longer exist."""
        import obstore

        for path in paths:
            with contextlib.suppress(FileNotFoundError), self._errors():
                obstore.delete(self._store, path)

    def sizes(self, below: str = "") -> dict[str, int]:
        """Return the sizes in bytes of all objects below a path, by their paths relative to it; except hidden ones."""
        import obstore

        found, cut = dict[str, int](), len(f"{below}/") if below else 0
        with self._errors():
            for page in obstore.list(self._store, below or None, chunk_size=1000):
                found |= {m["path"][cut:]: m["size"] for m in page if "/." not in f"/{m['path']}"}
        return found

    def clock(self) -> datetime:
        """Read the server's clock: write an object, return its modification time, and delete it.

        Raises:
            MirrorError: If nothing can be written.
        """
        import obstore

        path = f"{PROBE}{secrets.token_hex(8)}"
        self.write(path, b"written to see whether it can be, and when\n")
        try:
            with self._errors(of_bucket=True):
                return obstore.head(self._store, path)["last_modified"]
        finally:
            with contextlib.suppress(MirrorError):
                self.delete([path])

    @contextmanager
    def _errors(self, of_bucket: bool = False) -> Iterator[None]:
        """Turn errors into MirrorErrors of one line, except FileNotFoundError, unless it must mean the bucket."""
        from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError

        try:
            yield
        except (MirrorError, ConflictError):
            raise
        except (AlreadyExistsError, PreconditionError):
            raise ConflictError from None
        except FileNotFoundError as e:
            if of_bucket and e.errno is None:
                raise MirrorError(f"{self.url}: there is no such bucket") from None
            raise
        except (BaseError, ValueError, PermissionError) as e:
            raise MirrorError(f"{self.url}: {reason(e)}") from None


def _version(meta: Any) -> Version:
    return {"e_tag": meta["e_tag"], "version": meta["version"]}


def _is_loopback(url: str) -> bool:
    """Return whether the server is on this machine, so that plain http is safe."""
    scheme = urlsplit(url).scheme
    names = {"s3": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")}.get(scheme, ())
    endpoint = next((os.environ[name] for name in names if name in os.environ), "")
    return urlsplit(endpoint).hostname in LOOPBACK


def _blocks(path: Path, on_sent: OnSent) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            yield block
            on_sent(len(block))


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.with_name(f".{path.name}.lock").open("w") as file:
        # Where locks are not supported, the version is still compared just before the write.
        with contextlib.suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
