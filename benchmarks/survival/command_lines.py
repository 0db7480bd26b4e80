"""Command lines that nobody meant: each is refused in one line, or trains; never a traceback, never litter.

python -m benchmarks.survival.command_lines --cases 300     -> results/survival_command_lines.csv
"""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import dataclass, fields
from pathlib import Path

import tyro
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from benchmarks.rows import refuse_unwritable, write_rows
from system.forked import ROOT, Forked

TINY = {
    **{"seed": "7", "actors": "1", "cars": "2", "slots-per-tick": "4", "decisions": "8"},
    **{"height": "8", "width": "8", "stack": "2", "convolutions": "4 4 2", "dense": "8"},
    **{"batch-size": "4", "updates-per-tick": "1", "learn-from": "32", "replay-decisions": "64"},
    **{"validation-tracks": "1", "test-episodes": "0", "workers": "0", "device": "cpu"},
    **{"frame-skip": "50", "name": "one", "runs": "runs"},
}
COUNTS = ["0", "-1", "1", "2", "7", "33", "64", "1000000000000000", "9" * 40]
NUMBERS = [
    "0",
    "-0.0",
    "-1",
    "0.5",
    "1",
    "1.0001",
    "40",
    "1e300",
    "-1e300",
    "nan",
    "inf",
    "-inf",
    "1e-300",
]
WORDS = [
    "",
    " ",
    "x",
    "one",
    "None",
    "True",
    "1,5",
    "1e3",
    "0x10",
    "1_0",
    "٣",
    "é\udcff",
    "-",
    "--",
    "-1-",
    "$(id)",
    "{}",
]
PATHS = [
    *WORDS,
    "..",
    "../up",
    "/proc/nothing",
    "/dev/null",
    "a/b",
    "\n",
    "a" * 300,
    "~",
    "latest",
    "runs",
    "CON",
]
# Numbers that are accepted, and take long: not more than these.
CHEAP = {
    "decisions": ["0", "-5", "9", "17", "24", "9" * 40, "nan"],
    "validation-tracks": ["0", "2", "10001", "-1"],
    "test-episodes": ["-1", "10001", "9" * 40],
    "workers": ["-1", "100000", "9" * 40],
    "dense": ["0", "-3", "9", "8 8", "many", "1.5"],
    "convolutions": ["4 4", "4 4 0", "0 4 2", "4 9 1", "-4 4 2", "4 4 2 4 2 1", "a b c", "4 4 99"],
    "device": ["gpu", "gpu:7", "gpu:", "cpu:0", "tpu", "", "CPU"],
    "actions": ["brisk", "stock", "", "Brisk", "fast"],
    "threads": ["0", "-1", "2", "100000"],
}


@st.composite
def command_lines(draw: st.DrawFn) -> tuple[str, list[str]]:
    """A script and options: those of a tiny run, one to four of them spoilt, and sometimes something behind."""
    script = draw(st.sampled_from(["DDQN", "DQN"]))
    chosen = dict(TINY)
    for name in draw(st.lists(st.sampled_from(sorted(KINDS[script])), min_size=1, max_size=4)):
        chosen[name] = draw(_values(name, KINDS[script][name]))
    line = [word for name, text in chosen.items() for word in (f"--{name}", *_words(name, text))]
    line += draw(
        st.lists(st.sampled_from([*WORDS, "--colour", "--gamma", "--no-mirror"]), max_size=1)
    )
    return script, line


def _kinds(script: str) -> dict[str, str]:
    """Options of a script and their types."""
    module = __import__(script)
    return {f.name.replace("_", "-"): str(f.type) for f in fields(module.Settings)}


KINDS = {script: _kinds(script) for script in ("DDQN", "DQN")}


def _values(name: str, kind: str) -> st.SearchStrategy[str]:
    if name in CHEAP:
        return st.sampled_from(CHEAP[name])
    known = {"int": [*COUNTS, *COUNTS, "1.5", *WORDS], "float": [*NUMBERS, *NUMBERS, *WORDS]}
    return st.sampled_from(known.get(kind, PATHS))


def _words(name: str, text: str) -> list[str]:
    return text.split(" ") if name in ("convolutions", "dense") else [text]


def treatment(script: str, line: list[str], folder: Path) -> str:
    """How a command line was treated: trained or refused.

    Raises:
        AssertionError: If it was not treated as it should be.
    """
    here = folder / "here"
    here.mkdir()
    process = Forked(script, *line, cwd=here)
    code, said = process.finish(), process.out() + process.err()
    left = [p for p in folder.rglob("*") if p != here]
    assert code in (0, 2), f"exit code {code}: {line}\n{said}"
    assert "Traceback" not in said, f"{line}\n{said}"
    assert not process.group_lives(), line
    if code == 2:
        assert process.err(), line
        assert not left, (line, left)
    return ("trained", "", "refused")[code]


@dataclass(frozen=True)
class Options:
    """Try command lines."""

    cases: int = 300
    """How many."""
    seed: int = 1
    """Of the choice."""
    csv: Path = ROOT / "results" / "survival_command_lines.csv"
    """Where to write what came of it."""


def main(options: Options) -> None:
    """Try them all and count."""
    refuse_unwritable(options.csv)
    counts: Counter[str] = Counter()

    @seed(options.seed)
    @settings(
        max_examples=options.cases,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(command_lines())
    def one(case: tuple[str, list[str]]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            counts[treatment(*case, Path(folder))] += 1

    one()
    row = {"cases": sum(counts.values()), **counts, "tracebacks": 0, "litter": 0}
    print(row)
    write_rows(options.csv, [row])


if __name__ == "__main__":
    main(tyro.cli(Options))
