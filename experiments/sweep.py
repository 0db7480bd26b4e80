"""Runs a sweep: reads the command line, trains, and writes the report."""

from __future__ import annotations

from pathlib import Path

from experiments.gpus import gpus_for, parse_devices
from experiments.jobs import check_jobs, stoppable
from experiments.options import Options
from experiments.plan import Method, Plan, rung_lengths
from experiments.report import REPORT, make_report
from experiments.runs import Place
from experiments.scripts import Script, load_script
from experiments.search import Search
from experiments.space import grid, parse_seeds
from experiments.training_runs import TrainingRuns, TrialSettings
from system.extras import require
from system.files import write_whole
from training.actors.ray_cluster import check_address
from training.settings import changed


def read_plan_of(o: Options, script: Script) -> tuple[TrialSettings, Plan]:
    """Convert the command line to the settings of the trials and the plan of the search.

    Raises:
        ValueError: If an option is invalid; the message names the option or setting. Nothing has been written then.
    """
    if o.random is not None and o.tpe is not None:
        raise ValueError("--random and --tpe are two ways to choose trials: give one")
    presets = script.presets
    if o.metric == "validation":  # the test tracks are for the settings that are finally chosen
        presets = {name: changed(preset, test_episodes=0) for name, preset in presets.items()}
    settings = TrialSettings.parse(presets, o.preset, o.set, o.space)
    if not settings.space:
        raise ValueError("there is nothing to vary: give --set NAME=A,B or --space")
    if o.rungs > 1 and o.metric == "test":
        raise ValueError("--rungs chooses by validation scores: leave --metric test out")
    if o.metric == "test" and not settings.first.test_episodes:
        raise ValueError("--metric test needs --set test_episodes=1 or more")
    method: Method = "tpe" if o.tpe is not None else "random" if o.random is not None else "grid"
    if method == "grid":
        for values in grid(settings.space):
            settings.of(values)
    trials = o.random or o.tpe or 0
    description = {
        "script": o.script,
        "preset": o.preset,
        "set": list(o.set),
        "space": list(o.space),
        "method": method,
        "trials": trials,
        "seeds": list(parse_seeds(o.seeds)),
        "rungs": o.rungs,
        "batch": o.batch,
        "metric": o.metric,
        "seed": o.seed,
    }
    lengths = rung_lengths(settings.first.decisions, o.rungs)
    return settings, Plan(settings.space, method, trials, lengths, o.batch, o.seed, description)


def run(o: Options) -> None:
    """Train the runs that are not done yet, and print and write the report.

    Raises:
        ValueError: If the command line is invalid or the folder belongs to another one; nothing has been written then.
        OSError: If a file cannot be written.
        SystemExit: With exit code 3 if a signal stopped it, 1 if a run was killed.
    """
    if not o.script:
        raise ValueError("name a script that trains, such as DDQN.py, or --report FOLDER")
    script = load_script(Path(o.script))
    settings, plan = read_plan_of(o, script)
    devices = parse_devices(o.devices)
    at_once = check_jobs(o.jobs, devices)
    if o.pool == "ray":
        require("ray", "ray")
        if devices:
            raise ValueError("devices are GPUs of this machine: leave them out with pool ray")
        if o.address != "auto":
            check_address(o.address)
    folder = o.folder or plan.default_folder(script.agent)
    gpus = gpus_for(devices, settings.first.device)
    cluster = o.address if o.pool == "ray" else ""
    with stoppable() as stop:
        place = Place(script, folder / "runs", folder / "logs", at_once, gpus, stop, cluster)
        seeds = parse_seeds(o.seeds)
        search = Search(folder, plan, TrainingRuns(place, settings, seeds, o.metric))
        print(f"{folder}: {plan.summary()} decisions, seeds: {len(seeds)}", flush=True)
        search.run()
    print("\n" + report(folder), end="")
    print(f"\n{folder / REPORT}")


def report(folder: Path) -> str:
    """Write report.md from the files of a sweep, and return its text.

    Raises:
        ValueError: If it is not the folder of a sweep.
        OSError: If the report cannot be written.
    """
    text = make_report(folder)
    write_whole(folder / REPORT, text.encode())
    return text
