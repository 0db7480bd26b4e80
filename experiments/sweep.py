"""A sweep from its command line to its report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from experiments.gpus import gpus_for, parse_devices
from experiments.jobs import check_jobs
from experiments.options import Options
from experiments.plan import JOURNAL, Method, Plan, check_plan, write_plan
from experiments.report import REPORT, make_report, write_trials
from experiments.runs import Place
from experiments.scripts import load_script
from experiments.search import Search
from experiments.space import parse_seeds, parse_space
from experiments.study import Study
from system.extras import require
from system.files import write_whole
from system.processes import on_first_stop_signal
from training.actors.ray_cluster import check_address
from training.runs.run_folder import RunFolder
from training.settings import changed, check
from training.stop import Stop


def read_plan_of(o: Options) -> Plan:
    """What the command line asks for.

    Raises:
        ValueError: Naming the option that is wrong.
    """
    if not o.script:
        raise ValueError("name a script that trains, such as DDQN.py, or --report FOLDER")
    if o.random is not None and o.tpe is not None:
        raise ValueError("--random and --tpe are two ways to choose trials: give one")
    script = load_script(Path(o.script))
    if o.preset not in script.presets:
        raise ValueError(f"preset must be one of {', '.join(script.presets)}, got {o.preset!r}")
    preset = script.presets[o.preset]
    if o.metric == "validation":  # what drives test tracks is chosen afterwards
        preset = changed(preset, test_episodes=0)
    settings, space = parse_space(o.set, o.space, preset)
    check(settings)
    method: Method = "tpe" if o.tpe is not None else "random" if o.random is not None else "grid"
    seeds = parse_seeds(o.seeds)
    trials = o.random or o.tpe or 0
    description: dict[str, Any] = {
        "script": o.script,
        "preset": o.preset,
        "set": list(o.set),
        "space": list(o.space),
        "method": method,
        "trials": trials,
        "seeds": list(seeds),
        "rungs": o.rungs,
        "batch": o.batch,
        "metric": o.metric,
        "seed": o.seed,
    }
    plan = Plan(
        script=script,
        settings=settings,
        space=space,
        method=method,
        trials=trials,
        seeds=seeds,
        rungs=o.rungs,
        batch=o.batch,
        metric=o.metric,
        seed=o.seed,
        description=description,
    )
    plan.check()
    return plan


def run(o: Options) -> None:
    """Make the runs that are not made yet, and report.

    Raises:
        ValueError: If the command line is wrong, or the folder another's; nothing was written then.
        StoppedError: If a signal asked for a stop.
        UnfinishedError: If a run was killed, or nothing came of the trials.
        OSError: If the disk does not take it.
    """
    plan = read_plan_of(o)
    devices = parse_devices(o.devices)
    at_once = check_jobs(o.jobs, devices)
    if o.pool == "ray":
        require("ray", "ray")
        if devices:
            raise ValueError("devices are GPUs of this machine: leave them out with pool ray")
        if o.address != "auto":
            check_address(o.address)
    folder = o.folder or plan.default_folder()
    check_plan(folder, plan)
    study = Study(folder / JOURNAL, plan.space, plan.seed) if plan.method == "tpe" else None
    gpus = gpus_for(devices, plan.settings.device)
    write_plan(folder, plan)
    lock = RunFolder(folder)
    lock.lock()
    stop = Stop()
    on_first_stop_signal(stop.ask)
    cluster = o.address if o.pool == "ray" else ""
    place = Place(plan.script, folder / "runs", folder / "logs", at_once, gpus, stop, cluster)
    print(f"{folder}: {plan.summary()}", flush=True)
    search = Search(
        plan, place, study, lambda trials: write_trials(folder, trials, list(plan.space))
    )
    try:
        search.run()
    finally:
        lock.unlock()
    print("\n" + report(folder), end="")
    print(f"\n{folder / REPORT}")


def report(folder: Path) -> str:
    """Write report.md from a sweep's files, and give it.

    Raises:
        ValueError: If it is no sweep.
        OSError: If the disk does not take it.
    """
    text = make_report(folder)
    write_whole(folder / REPORT, text.encode())
    return text
