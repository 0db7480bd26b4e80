"""Compares frames per second of our environment, Gymnasium's CarRacing-v3 and EnvPool's, on one core.

python -m benchmarks.speed.world --peer-python PATH
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import tyro

from benchmarks.speed import duel

FAST, OFFICIAL = "ours, fast camera", "ours, official camera"
GYMNASIUM, ENVPOOL = "Gymnasium", "EnvPool"


@dataclass(frozen=True)
class Options(duel.Options):
    """Measure frames per second at frame skip 4, including resets, on one core."""

    csv: Path = Path("results/speed_world.csv")
    """File for the results."""
    envpool: bool = True
    """Whether to measure EnvPool, too."""


def main(options: Options) -> None:
    """Measure all sides, write and print the results."""
    options.check()
    ours, peer = Path(sys.executable), options.peer_python
    programs = {FAST: (ours, "fast"), OFFICIAL: (ours, "official"), GYMNASIUM: (ours, "gymnasium")}
    duels = [(FAST, GYMNASIUM), (OFFICIAL, GYMNASIUM), (FAST, OFFICIAL)]
    if options.envpool:
        duel.require(peer, "envpool")
        programs[ENVPOOL] = (peer, "envpool")
        duels += [(FAST, ENVPOOL), (OFFICIAL, ENVPOOL)]
    sides = [
        duel.Side(name, python, ("-m", "benchmarks.speed.world_sides", side))
        for name, (python, side) in programs.items()
    ]
    speeds = duel.measure(sides, options)
    duel.report("The world on one core", "frames_per_second", speeds, duels, options)


if __name__ == "__main__":
    main(tyro.cli(Options))
