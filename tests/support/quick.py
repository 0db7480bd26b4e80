"""A script that is told what DQN.py is told and leaves a run's files in half a second: it learns nothing.

Its score follows from its settings. Where everything but the learning is to be shown, eight runs are then no matter of
minutes; what really trains is in tests/experiments/test_trained.py.
"""

from __future__ import annotations

import math
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from DQN import PRESETS as SHIPPED
from training.command_line import read_or_exit
from training.runs.run_folder import RunFolder
from training.settings import RunSettings, changed, flat
from training.tracking.run_log import Progress
from training.tracking.status import StatusLog

# Whatever the default is, the best learning rate is another one.
PRESETS = {name: changed(preset, learning_rate=6e-4) for name, preset in SHIPPED.items()}
DIVERGES = 0.02  # learning rate
PERIOD = 100  # decisions between validations


def score(settings: RunSettings, decisions: int) -> float:
    """Best at a learning rate of 1e-3; grows with the decisions."""
    rate = float(flat(settings)["learning_rate"])
    return 100 - 40 * abs(math.log10(rate) + 3) + settings.seed + decisions / 1000


def main() -> None:
    """Leave a run."""
    command = read_or_exit("DQN", PRESETS)
    settings, run = command.settings, command.run
    if run is None:
        run = RunFolder.create(settings.runs, "DQN", settings.name, flat(settings))
    else:
        run.lock()
        run.go_on_with(flat(settings))
    with (run.path / "begun.txt").open("a") as file:
        file.write("begun\n")
    status = StatusLog(run.path, 0)
    status.progress(Progress("training", 0, settings.decisions, 0.0, 1.0, 1.0))
    time.sleep(float(os.environ.get("QUICK_SECONDS", "0")))
    if flat(settings)["learning_rate"] > DIVERGES:
        status.state("failed", "the loss is not finite")
        sys.exit("error: the loss is not finite")
    rows = [
        f"{n},{n},1,{score(settings, n)}" for n in range(PERIOD, settings.decisions + 1, PERIOD)
    ]
    text = "\n".join(["decisions,updates,seconds,mean", *rows]) + "\n"
    (run.path / "validation.csv").write_text(text)
    status.progress(Progress("training", settings.decisions, settings.decisions, 0.0, 1.0, 1.0))
    status.state("finished")


if __name__ == "__main__":
    main()
