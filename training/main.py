"""The command line of the scripts that train. Nothing heavy is imported before it is understood."""

from __future__ import annotations

import argparse
import sys
from typing import Any, TypeVar

import tyro

from agents.backend import DeviceError
from system.exits import EXIT_FAILED, EXIT_STOPPED, refuse
from system.processes import act_again_if_lost, on_first_stop_signal
from training.runs.names import RunError
from training.runs.run_folder import RunFolder
from training.runs.store import Runs
from training.settings import RunSettings, changed, check, flat, from_json
from training.stop import InterruptedTaskError, Stop

S = TypeVar("S", bound=RunSettings)


def main(agent: type[Any], presets: dict[str, S]) -> None:
    """Train as the command line says, and leave with its exit code.

    Args:
        agent: Learns; a subclass of QAgent.
        presets: Settings to start from, by name.
    """
    on_first_stop_signal(lambda: sys.exit(EXIT_STOPPED))
    try:
        settings, run = read_command_line(agent.__name__, presets)
        check(settings)
    except ValueError as e:
        refuse(e)
    if run and settings.resume == "auto" and run.is_finished():
        print(f"{run.path} is finished")
        return
    print("starting; TensorFlow takes a few seconds to load", flush=True)
    _train(agent, settings, run)


def _train(agent: type[Any], settings: RunSettings, run: RunFolder | None) -> None:
    from system.memory import NotEnoughMemoryError
    from training.actors.pool import WorkerError
    from training.runs.checkpoint import CheckpointError
    from training.session import train
    from training.tracking.console import ConsoleLog
    from training.trainer import TrainingError

    stop = Stop()
    on_first_stop_signal(stop.ask)
    act_again_if_lost(InterruptedTaskError, stop.ask)
    try:
        outcome = train(settings, agent, run=run, sinks=[ConsoleLog()], stop=stop)
    except (RunError, CheckpointError, DeviceError, NotEnoughMemoryError) as e:
        refuse(e)
    except (TrainingError, WorkerError, OSError) as e:
        refuse(e, EXIT_FAILED)
    except (ValueError, MemoryError) as e:
        refuse(e)
    if not outcome.finished:
        raise SystemExit(EXIT_STOPPED)
    from reports.closing import show_closing

    show_closing(outcome, agent.__name__)


def read_command_line(agent: str, presets: dict[str, S]) -> tuple[S, RunFolder | None]:
    """Settings, and the run to go on with.

    Raises:
        ValueError: If there is no such preset, or no such run, or it has other settings.
    """
    preset = _chosen_preset(presets)
    settings = tyro.cli(type(preset), default=preset)
    run = _chosen_run(agent, settings)
    if run is None:
        return changed(settings, resume=""), None
    config = run.config() | {"resume": settings.resume}
    try:
        theirs = from_json(presets["default"], config)
        missing = flat(theirs).keys() - config.keys()
        if missing:
            raise ValueError(f"{', '.join(sorted(missing))} missing")
        check(theirs)
    except ValueError as e:
        raise RunError(f"{run.path} was made by another version, or changed: {e}") from None
    settings = tyro.cli(type(preset), default=theirs)
    run.refuse_other_settings(flat(settings))
    return settings, run


def _chosen_preset(presets: dict[str, S]) -> S:
    """The settings that --preset names: the other flags change single ones of them.

    Raises:
        ValueError: If there are none of that name.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--preset", default="default")
    name = parser.parse_known_args()[0].preset
    if name not in presets:
        raise ValueError(f"preset must be one of {', '.join(presets)}, got {name!r}")
    return presets[name]


def _chosen_run(agent: str, settings: RunSettings) -> RunFolder | None:
    """The run that --resume names.

    Raises:
        ValueError: If there is none, or it is another script's.
    """
    if not settings.resume:
        return None
    if settings.resume == "auto":
        if not settings.name:
            raise ValueError("--resume auto goes on with the run of a --name: give one")
        run = RunFolder(settings.runs / agent / settings.name)
        return run if run.is_there() else None
    run = Runs(settings.runs, agent).resolve(settings.resume)
    if run.agent != agent:
        raise RunError(f"{run.path} was made by {run.agent}.py; resume it with that")
    return run
