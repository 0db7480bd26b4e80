"""Kill a training run, or its workers, again and again; its end must be that of a run that nobody disturbed.

python -m benchmarks.survival.kills --kills 50 --worker-kills 20     -> results/survival_kills.csv
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import sys
import tempfile
import time
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import tyro
from safetensors.numpy import load, load_file
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

from benchmarks.rows import refuse_unwritable, write_rows
from system.exits import refuse
from system.forked import ROOT, Forked
from system.processes import children_of

SECONDS_TO_END = 30.0  # for the last process of a run, after the trainer
CHECKPOINT_EVERY = 128  # decisions
SECONDS_BETWEEN_CHECKPOINTS = 0.7  # about, of processor time
MOST_SECONDS_TO_WORKER_KILL = 0.2  # after a checkpoint: the run must not get far ahead of its kills
RUN = [
    *(
        "--seed=7",
        "--actors=2",
        "--cars=4",
        "--slots-per-tick=8",
        "--height=16",
        "--width=20",
        "--stack=2",
    ),
    *("--convolutions", "4", "4", "2", "--dense", "16", "--batch-size=16", "--updates-per-tick=3"),
    *("--target-update-period=20", "--learn-from=256", "--replay-decisions=1600"),
    *("--epsilon-decisions=2000", "--validate-every=3000"),
    f"--checkpoint-every={CHECKPOINT_EVERY}",
    *("--validation-tracks=1", "--test-episodes=0", "--device=cpu"),
]


@dataclass(frozen=True)
class Outcome:
    """What must not depend on how a run was carried out: hashes."""

    decisions: int
    arrays: str  # of the last checkpoint: networks, optimizer, priorities
    replay: str
    state: str  # counters, random generators, actors; seconds aside
    episodes: str
    validations: str  # seconds aside
    events: str  # TensorBoard's, in order; speeds aside
    best: str  # the weights that drove best


def outcome(run: Path) -> Outcome:
    """What a finished run left behind."""
    newest = max(p for p in (run / "checkpoints").iterdir() if p.name.isdecimal())
    state = json.loads((newest / "state.json").read_text())
    state = {k: v for k, v in state.items() if k not in ("seconds", "journal")}
    arrays = load_file(newest / "arrays.safetensors")
    manifest = json.loads((newest / "manifest.json").read_text())["manifest"]
    chunks = {n: e for n, e in manifest["files"].items() if n.startswith("replay/")}
    rows = [row.split(",") for row in (run / "validation.csv").read_text().split()]
    assert rows[0][2] == "seconds"
    best = load((run / "best.safetensors").read_bytes())
    return Outcome(
        decisions=int(newest.name),
        arrays=_hash({n: a.tobytes() for n, a in sorted(arrays.items()) if n != "best"}),
        replay=_hash(_replay(run, sorted(chunks))),
        state=_hash(json.dumps(state, sort_keys=True)),
        episodes=_hash((run / "episodes.csv").read_text()),
        validations=_hash([row[:2] + row[3:] for row in rows]),
        events=_hash(events(run)),
        best=_hash({name: array.tobytes() for name, array in sorted(best.items())}),
    )


def _replay(run: Path, chunks: list[str]) -> dict[str, bytes]:
    """What the replay holds, however it was cut into chunks: a stop makes a checkpoint, and so a cut, of its own."""
    config = json.loads((run / "config.json").read_text())
    slots = config["replay_decisions"] // (config["actors"] * config["cars"])
    parts = [load_file(run / "checkpoints" / chunk) for chunk in chunks]
    return {n: np.concatenate([p[n] for p in parts])[-slots:].tobytes() for n in sorted(parts[0])}


def events(run: Path) -> list[tuple[int, str, bytes]]:
    """Step, name and value of everything that TensorBoard shows of the run's course, speeds aside."""
    files = sorted(run.glob("events.out.tfevents.*"), key=lambda p: p.name.rpartition(".")[2])
    return [
        (event.step, value.tag, value.tensor.SerializeToString())
        for file in files
        for event in EventFileLoader(str(file)).Load()
        for value in event.summary.value
        if event.step and not value.tag.startswith("speed/")
    ]


def _hash(value: object) -> str:
    return hashlib.sha256(repr(value).encode()).hexdigest()


def start(runs: Path, *options: str) -> Forked:
    """Begin a run, or go on with it; returns when it has begun to train."""
    begun = sorted((runs / "DDQN").glob("*/config.json"))
    line = ["--resume", str(begun[0].parent)] if begun else [*RUN, "--name", "run"]
    process = Forked("DDQN", "--runs", str(runs), *line, *options)
    process.wait_until(lambda: "DDQN, seed" in process.out())
    return process


def finish(process: Forked) -> str:
    """Wait for its end, which must be a good one, and give what it said."""
    code = process.finish()
    patience = time.monotonic() + SECONDS_TO_END
    while process.group_lives() and time.monotonic() < patience:
        time.sleep(0.1)
    if code or process.err() or process.group_lives():
        raise RuntimeError(f"ended with {code}: {process.out()}{process.err()}")
    return process.out()


def undisturbed(runs: Path, decisions: int) -> Outcome:
    """A whole run."""
    finish(start(runs, "--decisions", str(decisions), "--workers", "0"))
    return outcome(runs / "DDQN" / "run")


def newest(runs: Path) -> int:
    """Decisions of the last checkpoint."""
    checkpoints = runs / "DDQN" / "run" / "checkpoints"
    return max((int(p.name) for p in checkpoints.glob("[0-9]*")), default=0)


def decisions_before(number: int, kills: int, decisions: int) -> int:
    """Decisions to wait for before a kill: spread so that the last has some saves left to meet."""
    return 4 * decisions * number // (5 * kills) - CHECKPOINT_EVERY


def kill_and_resume(
    runs: Path, decisions: int, kills: int, rng: random.Random
) -> tuple[Outcome, int]:
    """Kill the whole process group `kills` times, resume it each time, let it finish.

    Args:
        runs: Where.
        decisions: Of the run.
        kills: How many, along the run; every third as soon as a save begins, the others at a random moment.
        rng: Chooses the moments and the number of workers.

    Returns:
        How it ended, and how many kills met an unfinished save.
    """
    cut_saves = 0
    checkpoints = runs / "DDQN" / "run" / "checkpoints"
    for number in range(kills):
        process = start(
            runs, "--decisions", str(decisions), "--workers", str(int(number % 10 == 9))
        )
        due = decisions_before(number, kills, decisions)
        process.wait_until(lambda due=due: newest(runs) > due)  # type: ignore[misc]
        if number % 3:
            process.work(rng.uniform(0, SECONDS_BETWEEN_CHECKPOINTS))
        else:
            process.wait_until(lambda: any(checkpoints.glob(".*.part")))
            time.sleep(rng.choice((0.0, 0.002, 0.01)))
        if process.poll() is not None:
            raise RuntimeError(f"ended before kill {number + 1} of {kills}")
        process.kill()
        cut_saves += any(checkpoints.rglob(".*.part*"))
    finish(start(runs, "--decisions", str(decisions), "--workers", "0"))
    return outcome(runs / "DDQN" / "run"), cut_saves


def kill_workers(runs: Path, decisions: int, kills: int, rng: random.Random) -> tuple[Outcome, int]:
    """Kill a worker process of a run `kills` times at random moments.

    Every fourth new process is perhaps still starting; the others die after the run went on, for more than a few
    deaths on one request end it.

    Returns:
        How it ended, and how many deaths its log told.
    """
    process = start(runs, "--decisions", str(decisions), "--workers", "2")
    for number in range(kills):
        if number % 4:
            due = max(decisions_before(number, kills, decisions), newest(runs))
            process.wait_until(lambda due=due: newest(runs) > due)  # type: ignore[misc]
        time.sleep(rng.uniform(0, MOST_SECONDS_TO_WORKER_KILL))
        if process.poll() is not None:
            raise RuntimeError(f"ended before kill {number + 1} of {kills}")
        process.wait_until(lambda: bool(children_of(process.pid)))  # not both dead
        os.kill(rng.choice(children_of(process.pid)), signal.SIGKILL)
    told = finish(process).count("another one makes its rollouts again")
    return outcome(runs / "DDQN" / "run"), told


@dataclass(frozen=True)
class Options:
    """Kill a run and its workers, and compare how it ends."""

    kills: int = 50
    """Of the whole process group, each followed by a resume."""
    worker_kills: int = 20
    """Of a worker process."""
    decisions: int = 3_072
    """Length of the run."""
    seed: int = 1
    """Of the moments."""
    csv: Path = ROOT / "results" / "survival_kills.csv"
    """Where to write what came of it."""


def main(options: Options) -> None:
    """Make the runs and write what came of them."""
    if not options.kills and not options.worker_kills:
        refuse("kills or worker_kills must be at least 1")
    refuse_unwritable(options.csv)
    rng, rows = random.Random(options.seed), []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        expected = undisturbed(folder / "undisturbed", options.decisions)
        for what, kills, carry_out in (
            ("process group", options.kills, kill_and_resume),
            ("worker", options.worker_kills, kill_workers),
        ):
            if not kills:
                continue
            found, seen = carry_out(folder / what, options.decisions, kills, rng)
            different = [
                f.name for f in fields(Outcome) if vars(found)[f.name] != vars(expected)[f.name]
            ]
            group = what == "process group"
            row = {
                "killed": what,
                "kills": kills,
                "decisions": options.decisions,
                "saves_cut": seen if group else "",
                "told_in_log": "" if group else seen,
                "different": " ".join(different) or "nothing",
            }
            rows.append(row)
            print(row, flush=True)
    write_rows(options.csv, rows)
    if any(row["different"] != "nothing" for row in rows):
        sys.exit("error: not the same")


if __name__ == "__main__":
    main(tyro.cli(Options))
