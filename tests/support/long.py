"""Tests that take minutes, for those who change what they show."""

from __future__ import annotations

import os

import pytest

LONG = "CARRACING_TEST_LONG"
long = pytest.mark.skipif(not os.environ.get(LONG), reason=f"needs {LONG}=1: it takes minutes")
