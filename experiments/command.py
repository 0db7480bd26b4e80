"""`DDQN.py --seeds 1:5`: checks the command line, trains all seeds, and prints the report."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from experiments.gpus import gpus_for, parse_devices
from experiments.jobs import check_jobs, stoppable
from experiments.scripts import Script
from experiments.seeds import PICTURE, REPORT, train_seeds
from experiments.space import parse_seeds
from training.command_line import Command


def train_seeds_as_told(
    path: Path, agent: str, presets: Mapping[str, Any], command: Command[Any]
) -> None:
    """Train all seeds and print the report.

    Args:
        path: Path of the script.
        agent: Name of the agent that the script trains.
        presets: The script's presets, by name.
        command: The parsed command line.

    Raises:
        ValueError: If the command line is invalid; nothing has been written then.
        OSError: If a file cannot be written.
        SystemExit: With exit code 1 if a run failed, 3 if training was stopped.
    """
    many = command.launch.many
    if not many.seeds:
        raise ValueError("--jobs and --devices are for several runs: give --seeds")
    if command.settings.resume or command.run:
        raise ValueError("--seeds resumes unfinished runs by itself: leave --resume out")
    if command.sources.get("seed") == "flag":
        raise ValueError("give --seed or --seeds")
    if command.launch.metrics_port is not None or command.launch.metrics_file is not None:
        raise ValueError("metrics are served for a single run: leave them out with --seeds")
    seeds, devices = parse_seeds(many.seeds), parse_devices(many.devices)
    at_once = check_jobs(many.jobs, devices)
    gpus = gpus_for(devices, command.settings.device)
    script = Script(path, agent, dict(presets))
    with stoppable() as stop:
        folder = train_seeds(script, command.settings, seeds, at_once, stop, gpus)
    print("\n" + (folder / REPORT).read_text())
    print(f"curves: {folder / PICTURE}")
