"""A run from its command line to its score: the same for every agent."""

from __future__ import annotations

import argparse
import dataclasses
import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import tyro

from agents.learner import Learner
from agents.tensorflow_setup import DeviceError, set_up_tensorflow
from agents.weights import pack
from evaluation.evaluation import evaluate, summary_line
from racing.actions import action_set
from racing.episode import write_episodes
from racing.tracks import TEST
from system.exits import EXIT_FAILED, EXIT_STOPPED, refuse, say_anything
from system.memory import NotEnoughMemoryError
from system.processes import act_again_if_lost, on_first_stop_signal
from training.actors.driving import ActorSpec
from training.actors.pool import LocalPool, WorkerError, WorkerPool
from training.runs.checkpoint import CheckpointError, Checkpoints
from training.runs.run_folder import RunError, RunFolder
from training.settings import RunSettings
from training.tracking.journal import BEST, Journal
from training.trainer import Trainer, TrainingError, ValidationGivenUpError

S = TypeVar("S", bound=RunSettings)
Build = Callable[[S], Trainer]


def run_script(agent: str, presets: dict[str, S], build: Build[S]) -> None:
    """Train as the command line says.

    Args:
        agent: Name of the script.
        presets: Settings to start from, by name.
        build: Puts the pieces together; raises ValueError where settings cannot be.
    """
    on_first_stop_signal(lambda: sys.exit(EXIT_STOPPED))
    say_anything()
    run = None
    try:
        preset = _chosen_preset(presets)
        settings = tyro.cli(type(preset), default=preset)
        if settings.resume:
            run = RunFolder.find(settings.runs, agent, settings.resume)
            settings = tyro.cli(type(preset), default=_with(type(preset), run, settings.resume))
            run.refuse_other_settings(settings)
        settings.check()
        if run and not Checkpoints(run.path / "checkpoints").steps() and run.has_begun():
            raise RunError(f"no checkpoint in {run.path}")
        set_up_tensorflow(settings.threads, settings.device)
        trainer = build(settings)
        if run is None:
            run = RunFolder.create(settings.runs, agent, settings.name, settings)
        else:
            run.lock()
            run.go_on_with(settings)
    except (ValueError, RunError, DeviceError, MemoryError, OSError) as e:
        refuse(e)
    try:
        journal = Journal(run.path, settings.decisions)
        finished = _train(agent, settings, trainer, run, journal)
    except (CheckpointError, RunError) as e:
        refuse(e)
    except (NotEnoughMemoryError, TrainingError, WorkerError, OSError) as e:
        refuse(e, EXIT_FAILED)
    if not finished:
        raise SystemExit(EXIT_STOPPED)
    if settings.test_episodes:
        try:
            _test(run.path / BEST, list(TEST[: settings.test_episodes]), trainer, journal)
            run.finish((run.path / BEST).read_bytes())
        except (ValueError, OSError) as e:
            refuse(e, EXIT_FAILED)


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


def _test(best: Path, tracks: list[int], trainer: Trainer, journal: Journal) -> None:
    """Drive unseen tracks with the best weights."""
    on_first_stop_signal(lambda: sys.exit(EXIT_STOPPED))  # nothing that a resumed run does not redo
    act_again_if_lost(SystemExit, lambda: sys.exit(EXIT_STOPPED))
    if trainer.stop_asked:  # since the training ended
        raise SystemExit(EXIT_STOPPED)
    episodes = evaluate(str(best), tracks)
    write_episodes(best.with_name("test.csv"), episodes)
    journal.test(trainer.decisions, episodes)
    print(summary_line(f"{best} on unseen tracks", episodes))


def _train(
    agent: str, settings: RunSettings, trainer: Trainer, run: RunFolder, journal: Journal
) -> bool:
    def pack_best(learner: Learner, facts: dict[str, Any]) -> bytes:
        return pack(learner.driving_weights(), make_card(agent, trainer.spec, settings, facts))

    on_first_stop_signal(trainer.stop)
    act_again_if_lost(ValidationGivenUpError, trainer.stop)
    checkpoints = Checkpoints(run.path / "checkpoints", run.identity())
    if settings.resume:
        for difference in run.other_versions():
            journal.say(f"not as when the run was started, the result may differ: {difference}")
    if checkpoints.steps():
        trainer.restore(journal, checkpoints)
        run.resumed()
    else:
        journal.events.describe(dataclasses.asdict(settings), trainer.learner.online)
    trainer.pack_best = pack_best
    pool = (
        WorkerPool(trainer.spec, settings.workers, settings.threads, journal.say)
        if settings.workers
        else LocalPool(trainer.spec)
    )
    try:
        with journal:
            journal.say(
                f"{run.path}: {agent}, seed {settings.seed}, {settings.decisions:,} decisions"
            )
            trainer.run(pool, journal, checkpoints)
            if trainer.stop_asked:
                again = shlex.quote(str(run.path))
                journal.say(f"stopped; go on with: python {agent}.py --resume {again}")
    finally:
        pool.close()
    return not trainer.stop_asked


def make_card(
    agent: str, spec: ActorSpec, settings: RunSettings, facts: dict[str, Any]
) -> dict[str, Any]:
    """What a weight file says of itself."""
    world = spec.greedy_world
    return {
        "agent": agent,
        "network": dataclasses.asdict(spec.network),
        "observation": [world.stack, world.height, world.width],
        "actions": len(action_set(world.actions)),
        "world": dataclasses.asdict(world),
        "settings": json.loads(json.dumps(dataclasses.asdict(settings), default=str)),
        "validation": facts,
    }


def _with(kind: type[S], run: RunFolder, resume: str) -> S:
    """Settings from a run's config.json."""
    config = run.config()
    defaults = {f.name: f.default for f in dataclasses.fields(kind)}
    unknown = sorted(set(config) ^ set(defaults))
    if unknown:
        raise RunError(f"{run.path} was made by another version: {', '.join(unknown)} differ")
    values = {}
    for name, default in defaults.items():
        try:
            values[name] = _restored(config[name], default)
        except TypeError:
            raise RunError(f"{run.path}/config.json: {name} is {config[name]!r}") from None
    return kind(**{**values, "resume": resume})


def _restored(value: Any, default: Any) -> Any:
    """A setting from JSON.

    Raises:
        TypeError: If it is of another type than its default.
    """
    if isinstance(default, Path) and isinstance(value, str):
        return Path(value)
    if isinstance(default, tuple) and isinstance(value, list):
        return tuple(_restored(v, default[0]) for v in value)
    if type(value) not in ((int, float) if isinstance(default, float) else (type(default),)):
        raise TypeError
    return value
