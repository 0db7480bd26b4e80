"""The main function of the training scripts. Nothing heavy is imported before the command line is parsed."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from agents.backend import DeviceError
from system.exits import EXIT_FAILED, EXIT_STOPPED, exit_with_error, one_line_errors
from system.extras import require
from system.processes import act_again_if_lost, on_first_stop_signal
from training.command_line import Command, Launch, Many, read_or_exit
from training.runs.names import RunError
from training.runs.run_folder import RunFolder
from training.settings import RunSettings
from training.stop import InterruptedTaskError, Stop

if TYPE_CHECKING:
    from training.tracking.run_log import Sink

S = TypeVar("S", bound=RunSettings)


def main(agent: type[Any], presets: dict[str, S]) -> None:
    """Train as the command line says, and exit with the code for the outcome.

    Args:
        agent: The class of the agent, a subclass of QAgent.
        presets: Settings to start from, by name.
    """
    on_first_stop_signal(
        lambda: os._exit(EXIT_STOPPED)
    )  # an exception may be lost while C code imports
    command = read_or_exit(agent.__name__, presets)
    settings, run = command.settings, command.run
    if command.launch.print_config:
        print(command.as_toml())
        return
    if command.launch.many != Many():
        _train_seeds(agent, presets, command)
        return
    run = _here(run) if run else None
    if run and settings.resume == "auto" and _is_finished(run, settings):
        print(f"{run.path} is finished")
        return
    print("starting; TensorFlow takes a few seconds to load", flush=True)
    _train(agent, settings, run, command.launch)


def _here(run: RunFolder) -> RunFolder:
    """Return the run in a local folder; downloads it if it is in a mirror."""
    try:
        return run.fetch()
    except ValueError as e:
        exit_with_error(e)
    except OSError as e:
        exit_with_error(e, EXIT_FAILED)


def _is_finished(run: RunFolder, settings: RunSettings) -> bool:
    """Return whether nothing is left to do, even if more decisions are asked for than before."""
    return run.is_finished() and settings.decisions <= run.config()["decisions"]


def _train_seeds(agent: type[Any], presets: dict[str, S], command: Command[S]) -> None:
    with one_line_errors():
        from experiments.command import train_seeds_as_told

        script = Path(sys.argv[0])
        train_seeds_as_told(script, agent.__name__, presets, command)


def _train(agent: type[Any], settings: RunSettings, run: RunFolder | None, launch: Launch) -> None:
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
        sinks = [ConsoleLog(), *_metrics(launch)]
        outcome = train(settings, agent, run=run, sinks=sinks, stop=stop)
    except (RunError, CheckpointError, DeviceError, NotEnoughMemoryError) as e:
        exit_with_error(e)
    except (TrainingError, WorkerError, OSError) as e:
        exit_with_error(e, EXIT_FAILED)
    except (ValueError, MemoryError) as e:
        exit_with_error(e)
    if not outcome.finished:
        raise SystemExit(EXIT_STOPPED)
    from reports.closing import show_closing

    show_closing(outcome, agent.__name__)


def _metrics(launch: Launch) -> list[Sink]:
    """Return the sinks for Prometheus, if it was asked for.

    Raises:
        ValueError: If the port or the file cannot be used, or the package is missing.
    """
    if launch.metrics_port is None and launch.metrics_file is None:
        return []
    require("metrics", "prometheus_client")
    from training.tracking.metrics import MetricsLog

    log = MetricsLog()
    if launch.metrics_file is not None:
        log.write_to(launch.metrics_file)
    if launch.metrics_port is not None:
        port = log.serve(launch.metrics_address, launch.metrics_port)
        print(f"metrics at http://{launch.metrics_address}:{port}/metrics", flush=True)
    return [log]
