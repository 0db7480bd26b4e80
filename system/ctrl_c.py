"""Imported first in every script: Ctrl-C ends it without a word while Python loads the rest, and nobody listens yet."""

from __future__ import annotations

import sys
from types import TracebackType


def _tell(kind: type[BaseException], e: BaseException, trace: TracebackType | None) -> None:
    if kind is not KeyboardInterrupt:
        sys.__excepthook__(kind, e, trace)


sys.excepthook = _tell
