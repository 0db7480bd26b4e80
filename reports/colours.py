"""One colour per driver, in every picture and on every page.

All of them have a contrast of at least 3 to 1 against white and against a dark page (WCAG 2.2, 1.4.11), and stay apart
for people who see red, green or blue badly.
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
# Given in this order to who has no colour: the ones that look least like the drivers people race most.
_SPARE = (
    *("human", "sb3", "ancestor-dqn", "ancestor-ddqn2", "ancestor-ddqn1", "random"),
    *("random-continuous", "pid", "dqn", "ddqn"),
)


def colours_of(names: Iterable[str]) -> list[str]:
    """A colour for each of at most ten drivers, no two alike; who is not in DRIVERS gets one that is left over."""
    names = list(names)
    given = {i: DRIVERS[name] for i, name in enumerate(names) if name in DRIVERS}
    if len(set(given.values())) < len(given):  # two of one name: the first keeps it
        given = {i: c for i, c in given.items() if names.index(names[i]) == i}
    spare = [DRIVERS[name] for name in _SPARE if DRIVERS[name] not in given.values()]
    return [given[i] if i in given else spare.pop(0) for i in range(len(names))]
