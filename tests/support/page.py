"""Pages in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from deploy.browser import Browser


@contextmanager
def opened(address: str) -> Iterator[Browser]:
    """A window with the page, which must not complain until it is closed."""
    with Browser() as browser:
        browser.open(address)
        yield browser
        assert browser.complaints() == []
