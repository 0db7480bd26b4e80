"""Kills a trainer while it uploads to a mirror, and the mirror's server; the mirror must always be consistent.

python -m benchmarks.survival.mirror --kills 20 --server-kills 5     -> results/survival_mirror.csv

After every kill, every manifest in the mirror is checked against all files that it lists. At the end, runs are resumed
in an empty folder, from copies of the mirror after kills and from every remaining checkpoint. Their results must be
those of an undisturbed run.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import tyro

import training.session  # noqa: F401  (what the forked scripts need not load)
from benchmarks.rows import check_writable, write_rows
from benchmarks.survival.kills import RUN, undisturbed
from benchmarks.survival.mirror_cost import full_bucket, what_it_costs
from deploy.s3_server import S3Server
from system.forked import ROOT, Forked
from system.progress import no_progress
from training.mirror.runs import runs_at, verify
from training.mirror.store import Store
from training.mirror.upload import steps_in
from training.runs.fingerprint import Fingerprint, fingerprint

T = TypeVar("T")
NAME = "DDQN/run"
KEEP = 3  # checkpoints
MOST_UPLOADS = 2  # that a trainer starts before it is killed, during or just after the last
MOST_SECONDS_OF_UPLOAD = 0.3  # for one of these small checkpoints, approximately
SECONDS_WITHOUT_SERVER = 1.0


def start(runs: Path, decisions: int, *more: str) -> Forked:
    """Start or resume the run; returns when it has started to train."""
    here = (runs / NAME / "config.json").is_file()
    line = ["--resume", str(runs / NAME)] if here else [*RUN, "--name", "run"]
    line += ["--decisions", str(decisions), "--keep-checkpoints", str(KEEP), "--workers", "0"]
    process = Forked("DDQN", "--runs", str(runs), *line, *more)
    process.wait_until(lambda: ": DDQN" in process.out())
    return process


def apart(function: Callable[..., T], *arguments: Any) -> T:
    """Call a function in another process, because this one is forked, and obstore's threads do not survive a fork."""
    with multiprocessing.get_context("fork").Pool(1) as pool:
        return pool.apply(function, arguments)


def check(url: str) -> tuple[int, int, int]:
    """Check every file of every checkpoint in a mirror.

    Returns:
        Number of manifests, number of manifests with missing or damaged files, and number of objects that no manifest
        lists, from interrupted uploads.
    """
    runs = runs_at(url)
    if not runs.all():
        return 0, 0, 0
    [run] = runs.matching(NAME)
    problems = verify(run, no_progress)
    paths = Store(url).sizes(NAME)
    steps = steps_in(paths)
    places = tuple(f"checkpoints/{step:09d}/" for step in steps)
    loose = [p for p in paths if p.startswith("checkpoints/0") and not p.startswith(places)]
    return len(steps), len(problems), len(loose)


def steps_at(url: str) -> list[int]:
    """Return the decisions of every checkpoint in a mirror."""
    return steps_in(Store(url).sizes(NAME))


def keep_copy(url: str, to: str, until: int | None = None) -> None:
    """Copy a mirror to another place, without the checkpoints after `until` if given."""
    source, target = Store(url), Store(to)
    for path in source.sizes():
        found = source.read(path)
        step = path.removeprefix(f"{NAME}/checkpoints/").partition("/")[0]
        late = until is not None and step.isdecimal() and int(step) > until
        if found is not None and not path.endswith("lease.json") and not late:
            target.write(path, found.data)


def resume_from(url: str, runs: Path, decisions: int) -> Fingerprint:
    """Resume a run from a mirror in an empty folder, and let it finish."""
    options = ("--resume", f"{url}/{NAME}", "--runs", str(runs), "--decisions", str(decisions))
    finish_quietly(Forked("DDQN", *options, "--workers", "0", "--mirror-to", ""))
    found = fingerprint(runs / NAME)
    shutil.rmtree(runs)
    return found


@dataclass
class Found:
    """The results of killing one thing, the trainer or the server."""

    case: str
    times: int = 0
    manifests_checked: int = 0
    manifests_broken: int = 0
    uploads_cut: int = 0
    resumed: int = 0
    different: str = "nothing"

    def look(self, url: str) -> int:
        """Check the mirror."""
        manifests, broken, loose = apart(check, url)
        self.times += 1
        self.manifests_checked += manifests
        self.manifests_broken += broken
        self.uploads_cut += bool(loose)
        return manifests


def kill_again_and_again(
    server: S3Server, folder: Path, options: Options, expected: Fingerprint
) -> list[Found]:
    """Kill the trainer, then the server while the trainer goes on; then resume from the copies of the mirror."""
    rng, runs, url = random.Random(options.seed), folder / "runs", f"{server.url}/mirror"
    trainer, servers = Found("trainer killed"), Found("server killed and started again")
    moments = ["trainer"] * options.kills + ["server"] * options.server_kills
    rng.shuffle(moments)
    copies = list[str]()
    for number, victim in enumerate(moments):
        process = start(runs, options.decisions, "--mirror-to", url)
        _wait_for_upload(process, runs / NAME / ".mirror", rng.randint(1, MOST_UPLOADS))
        time.sleep(rng.uniform(0, MOST_SECONDS_OF_UPLOAD))
        if victim == "server":
            server.kill()
            time.sleep(SECONDS_WITHOUT_SERVER)
            server.start()
        process.kill()
        found = trainer if victim == "trainer" else servers
        there = found.look(url)
        print(f"{number + 1} of {len(moments)}: {victim}, {there} manifests", flush=True)
        if there and number % max(len(moments) // options.resumes, 1) == 0:
            copies.append(f"{server.url}/copy-{number}")
            apart(keep_copy, url, copies[-1])
    finish_quietly(start(runs, options.decisions, "--mirror-to", url))
    end = Found("end of that run, resumed from every checkpoint")
    end.look(url)
    end.different = fingerprint(runs / NAME).differences(expected)
    ends = list[str]()
    for step in apart(steps_at, url):
        ends.append(f"{server.url}/end-{step}")
        apart(keep_copy, url, ends[-1], step)
    for found, places in ((trainer, copies), (end, ends)):
        for place in places:
            different = resume_from(place, folder / "new", options.decisions).differences(expected)
            found.resumed += 1
            if different != "nothing":
                found.different = different
            print(f"resumed from {place}: different is {different}", flush=True)
    return [trainer, servers, end]


def _wait_for_upload(process: Forked, folder: Path, number: int) -> None:
    """Wait until this many checkpoints have been handed to the uploader, according to their staged links."""
    seen = set[str]()

    def enough() -> bool:
        seen.update(path.name for path in folder.glob("staged-*"))
        return len(seen) >= number

    process.wait_until(enough)


def finish_quietly(process: Forked) -> None:
    """Wait for a run to end successfully; its output may contain complaints about the server."""
    if process.finish():
        raise RuntimeError(f"ended with {process.returncode}: {process.out()}{process.err()}")


@dataclass(frozen=True)
class Options:
    """Kill trainers and servers, fill a bucket, and measure what a mirror costs."""

    kills: int = 20
    """Number of kills of the trainer, each followed by a resume."""
    server_kills: int = 5
    """Number of kills of the server during training; it is restarted after a second."""
    resumes: int = 5
    """Number of resumes from copies that were made after kills."""
    decisions: int = 9_216
    """Length of the run, decisions."""
    cost_decisions: int = 40_000
    """Length of the run whose speed is measured, decisions; 0 to skip it."""
    seed: int = 1
    """Seed of the times of the kills."""
    csv: Path = ROOT / "results" / "survival_mirror.csv"
    """File for the results."""


def main(options: Options) -> None:
    """Run everything and write the results."""
    check_writable(options.csv)
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server = S3Server(folder / "server")
        os.environ |= server.environment
        server.start()
        try:
            expected = undisturbed(folder / "undisturbed", options.decisions)
            found = kill_again_and_again(server, folder, options, expected)
            rows += [vars(one) for one in found]
            write_rows(options.csv, rows)
            if options.cost_decisions:
                rows.append(what_it_costs(server, folder / "cost", options.cost_decisions))
                write_rows(options.csv, rows)
        finally:
            server.kill()
        if options.cost_decisions:
            rows.append(full_bucket(folder / "full"))
            write_rows(options.csv, rows)
    for row in rows:
        print(row, flush=True)
    if any(
        row.get("manifests_broken") or row.get("different", "nothing") != "nothing" for row in rows
    ):
        sys.exit("error: not whole, or not the same")


if __name__ == "__main__":
    main(tyro.cli(Options))
