"""Measures how long training waits for a mirror, and tests a run whose bucket is full."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

import DDQN
from benchmarks.speed.settings import NEVER
from deploy.s3_server import S3Server
from system.progress import no_progress
from training.mirror import place
from training.mirror.mirror_log import MirrorLog
from training.mirror.runs import runs_at, verify
from training.session import train
from training.settings import changed
from training.tracking.run_log import Progress, Sink

CHECKPOINT_EVERY = 2_500  # decisions
SMALL = ("-volume.max=2", "-master.volumeSizeLimitMB=1")  # space for a few MiB


class Alternating(MirrorLog):
    """Mirrors every second checkpoint, and records how long the trainer was blocked."""

    calls: list[float]
    mirrors = False

    def checkpoint(self, decisions: int, seconds: float) -> None:
        """Mirror the checkpoint, or skip it, in turn."""
        Alternating.mirrors = not Alternating.mirrors
        if Alternating.mirrors:
            began = time.perf_counter()
            super().checkpoint(decisions, seconds)
            Alternating.calls.append(time.perf_counter() - began)


class Speeds(Sink):
    """Records decisions per second of every tick that learned, by whether a checkpoint was being uploaded."""

    def __init__(self) -> None:
        self.ticks: dict[bool, list[float]] = {True: [], False: []}

    def progress(self, progress: Progress) -> None:
        """Record the speed of a tick."""
        if progress.phase == "training" and progress.updates_per_second:
            self.ticks[Alternating.mirrors].append(progress.decisions_per_second)


class Told(Sink):
    """Counts uploads and keeps messages."""

    def __init__(self) -> None:
        self.ends, self.lines = list[bool](), list[str]()

    def mirrored(self, whole: bool) -> None:
        """Count an upload."""
        self.ends.append(whole)

    def notify(self, text: str) -> None:
        """Keep a message."""
        self.lines.append(text)


def what_it_costs(server: S3Server, folder: Path, decisions: int) -> dict[str, Any]:
    """Train a default run with more checkpoints than usual, every second of which is mirrored."""
    Alternating.calls, speeds, told = [], Speeds(), Told()
    settings = changed(
        DDQN.Settings(),
        decisions=decisions,
        checkpoint_every=CHECKPOINT_EVERY,
        validate_every=NEVER,
        validation_tracks=1,
        test_episodes=0,
        runs=folder,
        name="run",
        mirror_to=f"{server.url}/cost",
        device="cpu",
    )
    with mock.patch.object(place, "MirrorLog", Alternating):
        done = train(settings, sinks=[speeds, told])
    size = sum(p.stat().st_size for p in max((done.run / "checkpoints").glob("0*")).iterdir())
    medians = {key: float(np.median(ticks)) for key, ticks in speeds.ticks.items()}
    return {
        "case": "cost, a default run",
        "times": len(Alternating.calls),
        "failures": told.ends.count(False),
        "decisions_per_second_while_mirrored": round(medians[True], 1),
        "decisions_per_second_otherwise": round(medians[False], 1),
        "ticks": len(speeds.ticks[True]) + len(speeds.ticks[False]),
        "checkpoint_call_ms_median": round(1e3 * float(np.median(Alternating.calls)), 2),
        "checkpoint_call_ms_max": round(1e3 * max(Alternating.calls), 2),
        "checkpoint_mib_without_replay": round(size / 2**20, 1),
        "load": round(os.getloadavg()[0], 1),
    }


def full_bucket(folder: Path) -> dict[str, Any]:
    """Train a run whose server has too little space: it must finish, and the mirror must be consistent."""
    server, told = S3Server(folder / "server", *SMALL), Told()
    server.start()
    try:
        os.environ |= server.environment
        settings = changed(
            DDQN.PRESETS["smoke"],
            decisions=3_072,
            height=48,
            width=48,
            checkpoint_every=128,
            keep_checkpoints=1_000,
            test_episodes=0,
            runs=folder / "runs",
            name="run",
            mirror_to=server.url,
            device="cpu",
        )
        done = train(settings, sinks=[told])
        [run] = runs_at(server.url).all()
        problems = verify(run, no_progress)
        return {
            "case": "full bucket",
            "times": 1,
            "manifests_checked": len(list((run.path / "checkpoints").glob("*/manifest.json"))),
            "manifests_broken": len(problems),
            "failures": told.ends.count(False),
            "different": "nothing" if done.finished else "not finished",
        }
    finally:
        server.kill()
