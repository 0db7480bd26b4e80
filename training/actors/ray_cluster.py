"""A connection to a Ray cluster: the addresses that are allowed, and the errors that mean a lost answer."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import signal
import socket
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from typing import Any

from system.cpus import usable_cpus
from system.processes import STOP_SIGNALS

SECONDS_TO_CONNECT = 3.0
# For a cluster that is started for a run: the messages of a tick take about 10 MB.
OBJECT_STORE_BYTES = 512 * 2**20
NO_USAGE_STATISTICS = {"RAY_USAGE_STATS_ENABLED": "0"}
# For starting a cluster. By default, Ray runs workers at niceness 15, which starves them on busy cores.
CLUSTER_VARIABLES = NO_USAGE_STATISTICS | {"RAY_worker_niceness": "0"}
# Set unless the user has set them.
DEFAULTS = CLUSTER_VARIABLES | {
    # By default, Ray tries to connect for 20 s. We have checked that the port is open; the token may still be refused.
    "RAY_NUM_REDIS_GET_RETRIES": "5",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DEDUP_LOGS_SKIP_REGEX": r"[\s\S]*",  # hides long logs about each lost node
}
TOKEN_MODE, TOKEN, TOKEN_FILE = "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"


class ClusterError(ValueError):
    """A cluster cannot be used; the message says why."""


class RayCluster:
    """A connection to a cluster, or to one that is started for the run on this machine's CPUs.

    Args:
        address: host:port of a cluster, `auto` for that of this machine, or empty: Ray is started here.
        notify: Called with lines for the user.

    Attributes:
        ray: The module.
        lost_errors: What Ray raises for an answer that will not come.

    Raises:
        ClusterError: If there is no such cluster, or it may not be used.
    """

    def __init__(self, address: str, notify: Callable[[str], None] = lambda _: None) -> None:
        os.environ.update(NO_USAGE_STATISTICS)
        for name, value in DEFAULTS.items():
            os.environ.setdefault(name, value)
        self.notify = notify
        if not address:
            os.environ[TOKEN_MODE] = "token"
            os.environ.setdefault(TOKEN, secrets.token_hex(32))  # else Ray writes one into the home
            # What Ray itself sets on Windows and macOS, so as to listen on loopback only.
            os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
        elif address != "auto":
            check_address(address)
        import ray

        self.ray: Any = ray
        e = ray.exceptions
        self.lost_errors: tuple[type[Exception], ...] = (
            *(e.RayActorError, e.ObjectLostError, e.OutOfMemoryError, e.GetTimeoutError),
            *(e.RaySystemError, e.WorkerCrashedError, e.NodeDiedError),
        )
        options: dict[str, Any] = {"address": address or "local"}
        if not address:
            options |= {"num_cpus": max(usable_cpus(), 2), "include_dashboard": False}
            options |= {"object_store_memory": OBJECT_STORE_BYTES}
        self._connect(options)

    def _connect(self, options: dict[str, Any]) -> None:
        where = options["address"]
        try:
            with _handlers_kept():
                self.ray.init(
                    **options,
                    logging_level=logging.ERROR,
                    log_to_driver=False,
                )
        except Exception as e:  # a node that does not start raises a bare Exception
            raise ClusterError(f"no Ray cluster at {where}: {_first_line(e)}") from None
        if where == "auto":
            try:
                check_address(self.ray.get_runtime_context().gcs_address)
            except ClusterError:
                self.close()
                raise

    def close(self) -> None:
        """Leave the cluster, and stop it if it was started for the run."""
        with _handlers_kept():
            self.ray.shutdown()


def check_address(address: str) -> None:
    """Refuse an address that is malformed, that nothing listens on, or that would be used without a token.

    Anyone who can send tasks to a cluster can run programs on it, and its answers are unpickled here. So any address
    other than loopback requires a token.

    Raises:
        ClusterError: Saying which.
    """
    host, colon, port = address.rpartition(":")
    if "://" in address or not (colon and host and port.isdigit() and int(port) < 2**16):
        raise ClusterError(f"the address of a Ray cluster is host:port or auto, got {address!r}")
    if not _is_loopback(host) and not _has_token():
        raise ClusterError(
            f"{address} is not on this machine's loopback: set {TOKEN_MODE}=token and {TOKEN} or"
            f" {TOKEN_FILE} (docs/cluster.md)"
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), SECONDS_TO_CONNECT).close()
    except OSError as e:
        raise ClusterError(f"no Ray cluster at {address}: {e.strerror or e}") from None


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _has_token() -> bool:
    named = os.environ.get(TOKEN) or os.environ.get(TOKEN_FILE)
    return os.environ.get(TOKEN_MODE, "").lower() == "token" and bool(named)


@contextlib.contextmanager
def _handlers_kept() -> Iterator[None]:
    """Keep our signal handlers: Ray installs its own for SIGTERM."""
    handlers = {s: signal.getsignal(s) for s in STOP_SIGNALS}
    try:
        yield
    finally:
        for s, handler in handlers.items():
            signal.signal(s, handler)


def _first_line(e: BaseException) -> str:
    return str(e).strip().partition("\n")[0]
