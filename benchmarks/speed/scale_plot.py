"""The plot of docs/scale.md: decisions per second over cores."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from benchmarks.speed.scale_model import LEARNERS, Constants, decisions_per_second
from reports.png import as_png

MOST_CORES = 1000


def scale_plot(c: Constants, real: Mapping[str, Mapping[int, float]]) -> bytes:
    """Plot the model's predictions for each learner and the speeds of real runs, as a PNG.

    Args:
        c: The costs of the parts of a tick.
        real: Decisions per second of real runs, by machine and number of busy cores.
    """
    figure = Figure((8, 4.5), layout="constrained")
    axes = figure.subplots()
    cores = np.unique(np.geomspace(2, MOST_CORES, 120).astype(int))
    for name, learner in LEARNERS.items():
        speeds = [decisions_per_second(c, int(n), learner) for n in cores]
        axes.plot(cores, speeds, label=f"model, what learns: {name}")
    for marker, (machine, speeds_there) in zip(itertools.cycle("^sov"), real.items(), strict=False):
        x, y = list(speeds_there), list(speeds_there.values())
        axes.plot(x, y, f"k{marker}", mfc="none", label=f"real runs, {machine}")
    axes.set(xscale="log", yscale="log", xlabel="cores", ylabel="decisions/s, all cars together")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    return as_png(figure)
