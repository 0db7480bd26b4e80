"""How fast a run is on N cores: measures the constants of a model, and compares the model with real runs.

python -m benchmarks.speed.scale --measure     this machine, takes minutes on idle cores -> results/scale/<machine>
python -m benchmarks.speed.scale               the tables and the plot of docs/scale.md, from all measurements
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import tyro

import DDQN
from agents.backend import set_up_tensorflow
from benchmarks.rows import as_table, show, write_rows
from benchmarks.speed.scale_model import Constants, limits, predicted
from benchmarks.speed.scale_plot import scale_plot
from benchmarks.speed.settings import UNINTERRUPTED
from reports.report import write_block
from system.cpus import usable_cpus
from system.csv_files import read_csv
from system.files import write_whole
from training.actors.fleet import Fleet
from training.actors.pool import Pool
from training.actors.worker import LocalWorker, Request, RolloutTask
from training.session import actor_spec, train
from training.settings import changed
from training.stop import Stop
from training.tracking.run_log import Progress, Sink

RESULTS, PAGE = Path("results/scale"), Path("docs/scale.md")
PLOT = Path("imgs/scale.png")
MACHINE = "two-cores"  # the machine whose constants are used for predictions
WARM_UP, TICKS = 4, 24


@dataclass(frozen=True)
class Options:
    """Measure and predict how fast a run is on N cores."""

    measure: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Measure constants and runs on this machine first."""
    machine: str = MACHINE
    """Name of this machine, and of the folder of its results."""
    device: Literal["cpu", "gpu"] = "cpu"
    """Device for learning."""
    preset: Literal["default", "server"] = "default"
    """Preset of DDQN.py."""
    workers: tuple[int, ...] = (0, 1, 2, 4)
    """Numbers of worker processes; one run for each."""
    ray: bool = True
    """Measure one worker on Ray, too."""
    rounds: int = 2
    """How often each run is repeated."""


def settings_of(options: Options, **values: Any) -> DDQN.Settings:
    """Return the settings of the preset, without anything that interrupts its ticks, such as validations."""
    preset = DDQN.PRESETS[options.preset]
    return changed(preset, **UNINTERRUPTED, device=options.device, **values)


def measure(settings: DDQN.Settings) -> Constants:
    """Measure the constants, one after the other, in this process."""
    set_up_tensorflow(1, settings.device)
    agent = DDQN.DDQN(settings)
    spec = actor_spec(settings, DDQN.DDQN)
    fleet = Fleet(Pool(spec, ()), settings.cars, settings.steps_per_tick, settings.seed)
    drive: list[float] = []
    while agent.decisions < 4096 or len(drive) <= WARM_UP:
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
    """Measures the duration of every tick that learns, and requests a stop when there are enough."""

    def __init__(self, updates: int) -> None:
        super().__init__()
        self.updates = updates  # per tick
        self.seconds: list[float] = []

    def progress(self, progress: Progress) -> None:
        """Record the tick."""
        if progress.phase == "training" and progress.updates_per_second:
            self.seconds.append(self.updates / progress.updates_per_second)
            if len(self.seconds) >= WARM_UP + TICKS:
                self.ask()


def run(options: Options, workers: int, pool: str) -> float:
    """Train, and return the median duration of a tick in seconds."""
    with tempfile.TemporaryDirectory() as runs:
        settings = settings_of(options, runs=Path(runs), workers=workers, pool=pool)
        ticks = Ticks(settings.learning.updates_per_tick)
        train(settings, DDQN.DDQN, sinks=[ticks], stop=ticks)
    return statistics.median(ticks.seconds[WARM_UP:])


def measure_all(options: Options) -> None:
    """Measure constants and runs; earlier results of another device or preset of the same machine are kept."""
    found, cores = measure(settings_of(options)), usable_cpus()
    which: dict[str, str] = {"device": options.device, "preset": options.preset}
    _replace(options.machine, "constants", which, [asdict(found)])
    configurations = [("processes", n) for n in options.workers] + [("ray", 1)] * options.ray
    rows: list[dict[str, Any]] = []
    for round_ in range(1, options.rounds + 1):
        for pool, workers in configurations:
            seconds, model = run(options, workers, pool), found.tick(workers, cores)
            print(f"{which}, {pool}, {workers} workers: {seconds:.3f} s, model {model:.3f} s")
            rows.append(
                {
                    "round": round_,
                    "pool": pool,
                    "workers": workers,
                    "cores": cores,
                    "tick_seconds": seconds,
                }
            )
            _replace(options.machine, "runs", which, rows)  # now: a machine may be ours for minutes


def _rows(machine: str, name: str) -> list[dict[str, str]]:
    path = RESULTS / machine / f"{name}.csv"
    return read_csv(path) if path.exists() else []


def _replace(machine: str, name: str, which: dict[str, str], rows: list[dict[str, Any]]) -> None:
    others = [row for row in _rows(machine, name) if not which.items() <= row.items()]
    path = RESULTS / machine / f"{name}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_rows(path, [*others, *(which | row for row in rows)])


def read_constants(machine: str) -> dict[tuple[str, str], Constants]:
    """Read the constants that were measured on a machine, by device and preset."""
    found = {}
    for row in _rows(machine, "constants"):
        which = row.pop("device"), row.pop("preset")
        values: dict[str, Any] = {name: json.loads(value) for name, value in row.items()}
        found[which] = Constants(**values)
    return found


def compared(machine: str) -> list[dict[str, str]]:
    """Compare a machine's real runs with the model; returns rows in the order of measurement."""
    constants, taken = read_constants(machine), dict[tuple[str, ...], list[float]]()
    for row in _rows(machine, "runs"):
        key = tuple(row[name] for name in ("device", "preset", "pool", "workers", "cores"))
        taken.setdefault(key, []).append(float(row["tick_seconds"]))
    found = []
    for (device, preset, pool, workers, cores), seconds in taken.items():
        c, real = constants[device, preset], statistics.mean(seconds)
        model = c.tick(int(workers), int(cores))
        found.append(
            {
                "learner": device,
                "preset": preset,
                "pool": pool,
                "workers": workers,
                "updates/s": f"{c.updates / real:,.0f}",
                "decisions/s": f"{c.decisions / real:,.0f}",
                "model": f"{c.decisions / model:,.0f}",
                "off by": f"{model / real - 1:+.0%}",
            }
        )
    return found


def main(options: Options) -> None:
    """Measure if asked to, then write the tables and the plot."""
    if options.measure:
        measure_all(options)
    machines = sorted(path.name for path in RESULTS.iterdir() if path.is_dir())
    real = {machine: compared(machine) for machine in machines}
    for machine, rows in real.items():
        show(f"real runs and the model, {machine}", rows)
        write_block(PAGE, f"{machine} runs", as_table(rows))
    constants = read_constants(MACHINE)["cpu", "default"]
    more = predicted(constants)
    show("decisions per second", more)
    write_block(PAGE, "prediction", as_table(more))
    write_block(PAGE, "limits", "\n".join(limits(constants)))
    alone = {machine: _alone(machine, rows) for machine, rows in real.items()}
    write_whole(PLOT, scale_plot(constants, alone))


def _alone(machine: str, rows: list[dict[str, str]]) -> dict[int, float]:
    """Return decisions per second of the runs of the default with a core per process, by number of cores."""
    cores = int(_rows(machine, "runs")[0]["cores"])
    return {
        int(row["workers"]) + 1: float(row["decisions/s"].replace(",", ""))
        for row in rows
        if (row["pool"], row["preset"]) == ("processes", "default") and int(row["workers"]) < cores
    }


if __name__ == "__main__":
    main(tyro.cli(Options))
