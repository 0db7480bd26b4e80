"""Shows the state of a run: figures now and a minute ago, sparklines, and the time left. Only reads its files."""

from __future__ import annotations

import contextlib
import time
from itertools import pairwise
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

from reports.run_list import read_status, state_of
from system.times import parse, seconds_since
from training.runs.run_folder import RunFolder

BARS = "▁▂▃▄▅▆▇█"
MINUTE = 60.0  # seconds
SECONDS_BETWEEN_LOOKS = 2.0


def sparkline(values: list[float]) -> str:
    """Draw a curve with block characters in one line; empty without values."""
    if not values:
        return ""
    low, span = min(values), max(max(values) - min(values), 1e-9)
    return "".join(BARS[round((v - low) / span * (len(BARS) - 1))] for v in values)


def look(run: RunFolder) -> list[str]:
    """Return lines that describe the state of a run.

    Raises:
        ValueError: If the run has no status.json.
    """
    status = read_status(run)
    if not status:
        raise ValueError(f"{run.shown} has no status.json: an earlier version made it")
    state = state_of(run, status)
    history = [h for h in status.get("history", []) if isinstance(h, list) and len(h) == 3]
    phase = "" if state == "finished" else f", {status.get('phase', 'beginning')}"
    lines = [f"{run.shown}: {state}{phase}", *_progress(status, state)]
    scores = [h[2] for h in history if h[2] is not None]
    if scores:
        before = _before(history, 2)
        lines.append(
            f"score      {scores[-1]:8.1f}   a minute ago {_or_dash(before)}   {sparkline(scores)}"
        )
    speeds = _speeds(history)
    if speeds:
        lines.append(f"decisions/s {speeds[-1]:7.0f}   {'':22} {sparkline(speeds)}")
    lines.append(
        f"validation {_or_dash(status.get('validation_score'))}   best"
        f" {_or_dash(status.get('best_validation_score'))}"
        f"   test {_or_dash(status.get('test_score'))}"
    )
    lines.append(
        f"checkpoint {_age(status.get('checkpoint_time'))}   workers {status.get('workers')}"
        f", replaced {status.get('worker_restarts')}   status {_age(status.get('time'))}"
    )
    if status.get("reason"):
        lines.append(f"reason     {status['reason']}")
    return lines


def _progress(status: dict[str, Any], state: str) -> list[str]:
    done, total = status.get("decisions"), status.get("decisions_total")
    if not isinstance(done, int) or not isinstance(total, int):
        return []
    share = min(done / max(total, 1), 1.0)
    bar = "█" * round(30 * share) + "░" * (30 - round(30 * share))
    line = f"{bar} {share:4.0%}  {done:,} of {total:,} decisions"
    speed = status.get("decisions_per_second") or 0
    if state == "running" and speed and done < total:
        line += f"  {(total - done) / speed / 60:.1f} min left"
    return [line]


def _before(history: list[list[float]], column: int) -> float | None:
    """Return the value a minute before the last one; None if the history is too short."""
    last = history[-1][0]
    older = [h[column] for h in history if h[0] <= last - MINUTE and h[column] is not None]
    return older[-1] if older else None


def _speeds(history: list[list[float]]) -> list[float]:
    pairs = pairwise(history)
    return [(b[1] - a[1]) / (b[0] - a[0]) for a, b in pairs if b[0] > a[0]]


def _or_dash(value: Any) -> str:
    return f"{value:7.1f}" if isinstance(value, int | float) else f"{'–':>7}"


def _age(time: Any) -> str:
    with contextlib.suppress(ValueError):
        return f"{max(seconds_since(parse(time)), 0):.0f} s ago"
    return "–"


def watch(run: RunFolder, once: bool) -> None:
    """Print the state of a run; on a terminal, repeatedly until the run ends or Ctrl-C, unless `once` is true.

    Raises:
        ValueError: If the run has no status.json.
    """
    console = Console(highlight=False)
    lines = look(run)
    if once or not console.is_terminal:
        console.print("\n".join(lines), markup=False, soft_wrap=True)
        return
    with Live(Text("\n".join(lines)), console=console, auto_refresh=False) as live:
        while True:
            lines = look(run)
            live.update(Text("\n".join(lines)), refresh=True)
            if state_of(run, read_status(run)) != "running":
                return
            time.sleep(SECONDS_BETWEEN_LOOKS)
