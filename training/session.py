"""A whole run, from settings to score, without a command line: `train(Settings(seed=3))`."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from agents.backend import check_device, learning_device, set_up_tensorflow
from agents.network import Weights
from agents.q_agent import QAgent
from agents.weights import pack
from evaluation.evaluation import evaluate
from evaluation.scores import write_episodes
from racing.episode import Episode
from racing.spec import WorldSpec
from racing.tracks import TEST
from racing.world import World
from system.extras import require
from system.hints import command
from training.actors.driving import ActorSpec
from training.actors.pool import Pool
from training.actors.worker_group import WorkerGroup
from training.memory import worker_count
from training.mirror.place import Mirror
from training.runs.checkpoint import CheckpointError, Checkpoints
from training.runs.names import RunError, check_new
from training.runs.origin import surroundings
from training.runs.run_folder import BEST, CHECKPOINTS, TESTS, RunFolder
from training.settings import RunSettings, check, flat
from training.start import start_from_weights
from training.stop import InterruptedTaskError, Stop
from training.tracking.csv_log import EpisodeLog, ValidationLog
from training.tracking.run_log import Progress, RunLog, Sink
from training.tracking.status import StatusLog
from training.tracking.tensorboard import TensorBoardLog
from training.tracking.tracker import tracker_of
from training.trainer import Trainer

MakeWorld = Callable[[WorldSpec], World]


@dataclass(frozen=True)
class Outcome:
    """The result of a run.

    Attributes:
        run: Its folder.
        finished: Whether the run is complete; otherwise it was stopped and can be resumed.
        decisions: Number of decisions made.
        best_validation: Best mean score on the validation tracks; minus infinity before the first validation.
        test: Episodes of the best weights on the test tracks; empty if they were not driven.
        minutes: Time of training and validation, summed over resumed runs.
    """

    run: Path
    finished: bool
    decisions: int
    best_validation: float
    test: list[Episode]
    minutes: float


def train(
    settings: RunSettings,
    agent: type[QAgent[Any, Any]] | None = None,
    *,
    run: RunFolder | None = None,
    sinks: Sequence[Sink] = (),
    stop: Stop | None = None,
    make_world: MakeWorld = World,
) -> Outcome:
    """Train an agent, keep the best weights, and drive the test tracks with them.

    Args:
        settings: The settings of the run.
        agent: The class of the agent; by default the one that was declared for these settings.
        run: The run to resume; a new one if None.
        sinks: Receive all events, in addition to the run's own files.
        stop: Checked between ticks.
        make_world: Makes a world for a car.

    Returns:
        The run folder and the scores.

    Raises:
        ValueError: If the settings, the device or the run cannot be used (RunError, CheckpointError,
            DeviceError, NotEnoughMemoryError); nothing has been written then, unless a run was damaged.
        TrainingError: If something is NaN or infinite.
        WorkerError: If worker processes die repeatedly.
        OSError: If a file cannot be written.
    """
    agent, stop = agent or QAgent.declared_for(type(settings)), stop or Stop()
    check(settings)
    check_device(settings.device)
    if settings.track:
        require(settings.track, settings.track)
    spec, count = actor_spec(settings, agent, make_world), worker_count(settings)
    if run is None:
        check_new(settings.runs, agent.__name__, settings.name)
    elif not Checkpoints(run.path / CHECKPOINTS).steps() and run.has_begun():
        raise RunError(f"no checkpoint in {run.path}")
    mirror, is_new = Mirror(settings.mirror_to) if settings.mirror_to else None, run is None
    if mirror:
        mirror.check_free(agent.__name__, settings.name, run)
    with ExitStack() as stack:
        early_log, lost = RunLog(sinks), list[Callable[[str], None]]()
        # The workers load TensorFlow while this process does.
        group = WorkerGroup(settings, count, spec, stack, early_log.notify, surroundings)
        pool = Pool(spec, group.workers, lambda text: lost[0](text), group.new_workers)
        stack.callback(pool.close)
        set_up_tensorflow(settings.threads, settings.device)
        learner = agent(settings)
        if run is None or not run.has_begun():
            began_with = start_from_weights(learner, settings.weights)
            began_with["device"] = learning_device()
        if run is None:
            name, config = agent.__name__, flat(settings)
            run = RunFolder.create(settings.runs, name, settings.name, config, **began_with)
        else:
            run.lock()
        stack.callback(run.unlock)  # the caller may resume it at once
        workers = len(group.workers)
        mirrors = (
            [mirror.follow(run, settings.keep_checkpoints, is_new, stop.ask, early_log)]
            if mirror
            else []
        )
        for each in mirrors:
            stack.callback(each.close)
        status = StatusLog(run.path, workers)
        files = (TensorBoardLog(run.path), EpisodeLog(run.path), ValidationLog(run.path), status)
        tracker = tracker_of(flat(settings), run.path, early_log.notify)
        log = stack.enter_context(RunLog((*files, *tracker, *mirrors, *sinks)))
        lost.append(log.worker_lost)
        log.begin(run.path, workers)
        try:
            outcome = _train_and_test(settings, learner, pool, run, log, stop)
        except CheckpointError:
            raise  # the run is unchanged
        except BaseException as e:
            status.state("failed", str(e))
            raise
        if group.processors:
            run.drove_on(group.processors)
        status.state("finished" if outcome.finished else "stopped")
        if outcome.finished:
            log.finished()
        return outcome


def _train_and_test(
    settings: RunSettings,
    agent: QAgent[Any, Any],
    pool: Pool,
    run: RunFolder,
    log: RunLog,
    stop: Stop,
) -> Outcome:
    def pack_best(weights: Weights, facts: dict[str, Any]) -> bytes:
        return pack(weights, make_card(type(agent).__name__, pool.spec, settings, facts))

    keep = settings.keep_checkpoints
    checkpoints = Checkpoints(run.path / CHECKPOINTS, run.identity(), keep)
    trainer = Trainer(agent, pool, run, checkpoints, log, stop, pack_best)
    name = type(agent).__name__
    if checkpoints.steps():
        for difference in run.other_surroundings(learning_device()):
            log.notify(
                f"not the same as when the run was started, so the result may differ: {difference}"
            )
        trainer.restore()
        run.resumed()
        log.notify(f"{run.path}: {name} goes on after {agent.decisions:,} decisions")
    else:
        log.describe(flat(settings), agent.online)
        log.notify(f"{run.path}: {name}, seed {settings.seed}, {settings.decisions:,} decisions")
    run.go_on_with(flat(settings))
    trainer.train()
    pool.close()  # the test needs its memory
    test: list[Episode] = []
    if not stop.asked and settings.test_episodes:
        try:
            with stop.interruptible():
                test = _test(run, settings, agent.decisions, log)
        except InterruptedTaskError:
            test = []
        else:
            run.finish((run.path / BEST).read_bytes())
    if stop.asked:
        # In a container, boot.sh prints how: `docker start`.
        again = f"; go on with: {command(f'{name}.py', '--resume', run.path)}"
        log.notify("stopped" + ("" if "IN_CONTAINER" in os.environ else again))
    finished = not stop.asked
    minutes = trainer.seconds / 60
    return Outcome(run.path, finished, agent.decisions, trainer.best_score, test, minutes)


def _test(run: RunFolder, settings: RunSettings, decisions: int, log: RunLog) -> list[Episode]:
    """Drive the test tracks with the best weights, in as many processes as in training if their number was set."""
    best, tracks = run.path / BEST, list(TEST[: settings.test_episodes])
    processes = None if settings.workers == "auto" else settings.workers + 1

    def on_progress(done: float, total: int) -> None:
        log.progress(Progress("testing", int(done), total, log.training_score))

    on_progress(0, len(tracks))
    episodes = evaluate(str(best), tracks, processes=processes, on_progress=on_progress)
    write_episodes(best.with_name(TESTS), episodes)
    log.test(decisions, episodes)
    return episodes


def actor_spec(
    settings: Any, agent: type[QAgent[Any, Any]], make_world: MakeWorld = World
) -> ActorSpec:
    """Make the specification that all actors of a run share."""
    return ActorSpec(
        world=settings.view.world(),
        greedy_world=settings.view.greedy_world(),
        network=settings.network,
        shaping=settings.shaping,
        cars=settings.cars_per_actor,
        choose=agent.epsilon_greedy,
        make_world=make_world,
    )


def make_card(agent: str, spec: ActorSpec, settings: Any, facts: dict[str, Any]) -> dict[str, Any]:
    """Make the card of a weight file, which describes it."""
    world = spec.greedy_world
    return {
        "agent": agent,
        "network": asdict(spec.network),
        "observation": [world.stack, world.height, world.width],
        "actions": len(settings.view.action_set),
        "world": asdict(world),
        "settings": json.loads(json.dumps(flat(settings), default=str)),
        "validation": facts,
    }


__all__ = ["Outcome", "train"]
