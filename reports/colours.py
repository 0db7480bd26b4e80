"""One colour per driver, the same in all figures and pages.

All colours have a contrast of at least 3:1 against white and against a dark page (WCAG 2.2, 1.4.11), and can be told
apart by people with any kind of colour blindness.
"""

from __future__ import annotations

from collections.abc import Iterable

DRIVERS = {
    "pid": "#d55e00",
    "human": "#9204f9",
    "dqn": "#0072b2",
    "ddqn": "#009e73",
    "random": "#747474",
    "random-continuous": "#774edb",
    "ancestor-dqn": "#8b88f4",
    "ancestor-ddqn1": "#6ba230",
    "ancestor-ddqn2": "#447142",
    "sb3": "#e00a4d",
}
LAP, NO_LAP = "#1b7f5c", "#c2502d"
# For drivers without a colour of their own, in this order; first those least similar to the most frequent drivers.
_SPARE = (
    *("human", "sb3", "ancestor-dqn", "ancestor-ddqn2", "ancestor-ddqn1", "random"),
    *("random-continuous", "pid", "dqn", "ddqn"),
)


def colours_of(names: Iterable[str]) -> list[str]:
    """Return different colours for at most ten drivers; drivers that are not in DRIVERS get an unused colour."""
    names = list(names)
    given = {i: DRIVERS[name] for i, name in enumerate(names) if name in DRIVERS}
    if len(set(given.values())) < len(given):  # two of one name: the first keeps it
        given = {i: c for i, c in given.items() if names.index(names[i]) == i}
    spare = [DRIVERS[name] for name in _SPARE if DRIVERS[name] not in given.values()]
    return [given[i] if i in given else spare.pop(0) for i in range(len(names))]
