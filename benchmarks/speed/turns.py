"""The measured side of a duel: works for as long as it is told, and answers how much it did.

Standard library only: this runs in the rivals' environment too.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

ANSWER = "answer: "  # marks our lines on stdout, where libraries may greet


def take_turns(note: str, work: Callable[[], int]) -> None:
    """Tell that all is ready; then, for every number of seconds that comes in, work so long.

    Args:
        note: Versions, and what else a reader should know of this side.
        work: Does a small piece of work and returns how many units it was.
    """
    _answer({"note": note})
    for line in sys.stdin:
        count, began = 0, time.perf_counter()
        while (seconds := time.perf_counter() - began) < float(line):
            count += work()
        _answer({"rate": count / seconds})


def _answer(data: dict[str, Any]) -> None:
    print(ANSWER + json.dumps(data), flush=True)
