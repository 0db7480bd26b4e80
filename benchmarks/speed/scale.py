"""How fast a run is on N cores: the model's constants measured here, and held against real runs here.

python -m benchmarks.speed.scale --measure     constants and real runs -> results/scale*.csv (some minutes, quiet)
python -m benchmarks.speed.scale               the tables and the plot of docs/scale.md from them
"""

from __future__ import annotations

import csv
import json
import statistics
import tempfile
import time
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro

import DDQN
from agents.backend import set_up_tensorflow
from benchmarks.rows import as_table, show, write_rows
from benchmarks.speed.scale_model import Constants, limits, predicted
from benchmarks.speed.scale_plot import scale_plot
from reports.report import write_block
from system.cpus import usable_cpus
from system.files import write_whole
from training.actors.fleet import Fleet
from training.actors.pool import Pool
from training.actors.worker import LocalWorker, Request, RolloutTask
from training.session import actor_spec, train
from training.settings import changed
from training.stop import Stop
from training.tracking.run_log import Progress, Sink

RESULTS, PAGE = Path("results"), Path("docs/scale.md")
PLOT = Path("imgs/scale.png")
CONSTANTS, RUNS = RESULTS / "scale_constants.csv", RESULTS / "scale_runs.csv"
WARM_UP, TICKS = 4, 24
LEARNING_STARTS = 1024  # decisions: soon


def measure() -> Constants:
    """Measure them, one after the other, in this process."""
    set_up_tensorflow(1, "cpu")
    settings = changed(DDQN.Settings(), learning_starts=LEARNING_STARTS)
    agent = DDQN.DDQN(settings)
    spec = actor_spec(settings, DDQN.DDQN)
    fleet = Fleet(Pool(spec, ()), settings.cars, settings.steps_per_tick, settings.seed)
    drive = []
    while agent.decisions < 4096:
        fleet.start(agent.actor_weights(), agent.epsilon)
        began = time.perf_counter()
        trajectory = fleet.collect()
        drive.append(time.perf_counter() - began)
        agent.replay.extend(trajectory)
    learn = _times(agent.learn)
    decisions = settings.cars * settings.steps_per_tick
    requests = [Request(i, s, np.ones(1)) for i, s in enumerate(fleet._states)]
    task = RolloutTask(agent.actor_weights(), requests, settings.steps_per_tick)
    worker = LocalWorker(spec)
    worker.ask(task)
    answer = worker.answer()
    pack, unpack = ForkingPickler.dumps, ForkingPickler.loads
    packed, sent = pack(answer), pack(task.weights)
    both = _times(lambda: (unpack(pack(answer)), unpack(pack(task.weights))))
    small = zlib.compress(packed, 1)
    squeeze = _times(lambda: zlib.decompress(zlib.compress(packed, 1)))
    return Constants(
        learn=statistics.median(learn[WARM_UP:]),
        updates=settings.learning.updates_per_tick,
        drive=statistics.median(drive[WARM_UP:]) / decisions,
        decisions=decisions,
        cars=settings.cars,
        pack=statistics.median(both) / 2 / (len(packed) + len(sent)),
        weights_bytes=len(sent),
        decision_bytes=len(packed) / decisions,
        zlib=statistics.median(squeeze) / len(packed),
        zlib_ratio=len(small) / len(packed),
    )


def _times(work: Callable[[], Any]) -> list[float]:
    taken = []
    for _ in range(WARM_UP + 12):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return taken


class Ticks(Stop, Sink):
    """Takes the time of every tick that learns, and asks for a stop when there are enough."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def progress(self, progress: Progress) -> None:
        """After every tick."""
        if progress.phase == "training" and progress.updates_per_second:
            self.seconds.append(20 / progress.updates_per_second)
            if len(self.seconds) >= WARM_UP + TICKS:
                self.ask()


def run(workers: int, pool: str) -> float:
    """Seconds of a tick of a real run, median."""
    ticks = Ticks()
    with tempfile.TemporaryDirectory() as runs:
        settings = changed(
            DDQN.Settings(),
            runs=Path(runs),
            learning_starts=LEARNING_STARTS,
            workers=workers,
            pool=pool,
            validate_every=10**9,
            checkpoint_every=10**9,
            test_episodes=0,
        )
        train(settings, DDQN.DDQN, sinks=[ticks], stop=ticks)
    return statistics.median(ticks.seconds[WARM_UP:])


def measure_all() -> None:
    """Constants and runs, in two rounds."""
    found = measure()
    write_rows(CONSTANTS, [asdict(found)])
    rows, cores = [], usable_cpus()
    for round_ in (1, 2):
        for pool, workers in (
            ("processes", 0),
            ("processes", 1),
            ("processes", 2),
            ("processes", 4),
            ("ray", 1),
        ):
            seconds = run(workers, pool)
            print(
                f"{pool}, {workers} workers: {seconds:.3f} s, model {found.tick(workers, cores):.3f} s"
            )
            rows.append(
                {
                    "round": round_,
                    "pool": pool,
                    "workers": workers,
                    "cores": cores,
                    "tick_seconds": seconds,
                }
            )
    write_rows(RUNS, rows)


def read_constants() -> Constants:
    """Those that were measured."""
    with CONSTANTS.open(newline="") as file:
        [row] = csv.DictReader(file)
    values: dict[str, Any] = {name: json.loads(value) for name, value in row.items()}
    return Constants(**values)


def compared(constants: Constants) -> list[dict[str, str]]:
    """Real runs beside the model."""
    with RUNS.open(newline="") as file:
        rows = list(csv.DictReader(file))
    found = []
    for pool, workers, cores in sorted({(r["pool"], r["workers"], r["cores"]) for r in rows}):
        taken = [
            float(r["tick_seconds"]) for r in rows if (r["pool"], r["workers"]) == (pool, workers)
        ]
        real, model = statistics.mean(taken), constants.tick(int(workers), int(cores))
        found.append(
            {
                "pool": pool,
                "workers": workers,
                "decisions/s": f"{constants.decisions / real:.0f}",
                "model": f"{constants.decisions / model:.0f}",
                "off by": f"{model / real - 1:+.0%}",
            }
        )
    return found


@dataclass(frozen=True)
class Options:
    """How fast a run is on N cores."""

    measure: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Measure constants and runs on this machine first."""


def main(options: Options) -> None:
    """Measure, or tell."""
    if options.measure:
        measure_all()
    constants = read_constants()
    real, more = compared(constants), predicted(constants)
    show("real runs and the model", real)
    show("decisions per second", more)
    write_block(PAGE, "runs", as_table(real))
    write_block(PAGE, "prediction", as_table(more))
    write_block(PAGE, "limits", "\n".join(limits(constants)))
    alone = {
        int(row["workers"]) + 1: float(row["decisions/s"])
        for row in real
        if row["pool"] == "processes" and int(row["workers"]) < usable_cpus()
    }
    write_whole(PLOT, scale_plot(constants, alone))


if __name__ == "__main__":
    main(tyro.cli(Options))
