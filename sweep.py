#!/usr/bin/env python3
"""Search for settings of a training script: a grid, a random sample, or proposals by Optuna.

python sweep.py DDQN.py --set learning_rate=3e-4,6e-4 --set n_step=3,5 --seeds 1:3        every combination
python sweep.py DDQN.py --random 20 --space learning_rate=log:1e-4:1e-3 --jobs 2          20 random trials
python sweep.py DDQN.py --tpe 20 --space gamma=float:0.95:0.999 --rungs 3                 20 trials by Optuna, halving
python sweep.py --report runs/sweeps/DDQN-1a2b3c4d                                        the report of a sweep

Run the same command line again to continue a sweep that was stopped or killed. See docs/sweeps.md.
"""

from __future__ import annotations

import system.startup  # isort: skip  # noqa: F401

import sys

import tyro

from experiments.options import Options
from system.exits import EXIT_STOPPED, one_line_errors
from system.processes import on_first_stop_signal
from system.ranges import check_fields


def main(options: Options) -> None:
    """Run a sweep, or print the report of one."""
    on_first_stop_signal(lambda: sys.exit(EXIT_STOPPED))
    with one_line_errors():
        check_fields(options)
        from experiments import sweep

        if options.report is not None:
            print(sweep.report(options.report), end="")
        else:
            sweep.run(options)


if __name__ == "__main__":
    main(tyro.cli(Options))
