"""Fixtures of all tests of mirrors."""

from __future__ import annotations

from tests.support.s3 import place, running_server, s3

__all__ = ["place", "running_server", "s3"]
