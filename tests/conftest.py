"""What holds for every test."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Generator, Iterator
from pathlib import Path

os.environ.setdefault("SDL_VIDEODRIVER", "dummy")  # no display anywhere

import pytest
from hypothesis import settings

from system.processes import STOP_SIGNALS
from tests.support.server import Server

# The same examples on every machine and in every run; a slow machine is no failure.
settings.register_profile("suite", deadline=None, derandomize=True, database=None)
settings.load_profile("suite")
# A shell's background jobs ignore Ctrl-C, and so would all that is started here.
signal.signal(signal.SIGINT, signal.default_int_handler)


def patience(item: pytest.Item) -> int:
    """Seconds that a test may take, which is what is known of how long it will take; 0 for a fast one."""
    if item.get_closest_marker("slow") is None:
        return 0
    timeout = item.get_closest_marker("timeout")
    return int(timeout.args[0] if timeout else item.config.getini("timeout"))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that may take long come first: one that begins last would leave the other processes idle."""
    seconds: Counter[Path] = Counter()
    for item in items:
        seconds[item.path] += patience(item)
    items.sort(key=lambda item: -seconds[item.path])


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server whose processes end with the test, however that ends."""
    server = Server(tmp_path)
    yield server
    for process in server.processes():
        os.kill(process, signal.SIGKILL)


@pytest.fixture
def signal_handlers() -> Iterator[None]:
    """For a test that calls a program's main: what signals do is as before afterwards."""
    before = {s: signal.getsignal(s) for s in STOP_SIGNALS}
    yield
    for s, handler in before.items():
        signal.signal(s, handler)


# In CI a test that is skipped for another reason than these has failed: nobody would notice that it shows nothing.
NAMED_SKIPS = (
    "root may write everywhere",  # CI is root
    "downloads 1 GB",  # asked for by hand
    "is not installed",  # linters and servers of the system; .ci/run installs them where it can
    "there is no ",
    "needs ",  # a screen, a browser
    "does not let us",  # control groups, namespaces, mounts: a container may forbid them
    "not a git checkout",
    "would take another Python",
    "on a disk of their own",
    "there is one processor",
    "SDL is not where",
)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skip without a name into a failure, in CI."""
    report = yield
    if "CI" in os.environ and report.skipped and not hasattr(report, "wasxfail"):
        reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
        if not any(named in reason for named in NAMED_SKIPS):
            report.outcome = "failed"
            report.longrepr = f"{item.nodeid}: skipped in CI for no reason that is named: {reason}"
    return report
