"""The measured side of a speed benchmark: works for a requested time, and answers how many units it has done.

It only imports the standard library, because it also runs in the rivals' environment.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

ANSWER = "answer: "  # marks our lines on stdout, where libraries may also print


def take_turns(note: str, work: Callable[[], int]) -> None:
    """Report readiness on stdout; then, for every number of seconds that arrives on stdin, work that long.

    Args:
        note: Versions, and anything else that a reader should know about this side.
        work: Does a small piece of work and returns the number of units.
    """
    _answer({"note": note})
    for line in sys.stdin:
        count, began = 0, time.perf_counter()
        while (seconds := time.perf_counter() - began) < float(line):
            count += work()
        _answer({"rate": count / seconds})


def _answer(data: dict[str, Any]) -> None:
    print(ANSWER + json.dumps(data), flush=True)
