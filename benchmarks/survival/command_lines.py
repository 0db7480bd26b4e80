"""Fuzzes command lines: each must either be refused in one line or train, without a traceback or leftover files.

python -m benchmarks.survival.command_lines --cases 300     -> results/survival_command_lines.csv
"""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import tyro
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

import DDQN
import DQN
import training.session  # noqa: F401  (what the forked scripts need not load)
from benchmarks.rows import check_writable, write_rows
from system.forked import ROOT, Forked
from training.settings import flat

TINY = {
    **{"preset": "smoke", "decisions": "8", "cars": "2", "cars-per-actor": "2"},
    **{"steps-per-tick": "4", "batch-size": "4", "learning-starts": "32", "replay-capacity": "64"},
    **{"frame-skip": "50", "validation-tracks": "1", "test-episodes": "0", "workers": "0"},
    **{"device": "cpu", "name": "one", "runs": "runs"},
}
COUNTS = ["0", "-1", "1", "2", "7", "33", "64", "1000000000000000", "9" * 40]
NUMBERS = ["0", "-0.0", "-1", "0.5", "1", "1.0001", "40", "1e300", "-1e300", "1e-300"]
NUMBERS += ["nan", "inf", "-inf"]
WORDS = ["", " ", "x", "one", "None", "True", "1,5", "1e3", "0x10", "1_0", "٣", "é\udcff"]
WORDS += ["-", "--", "-1-", "$(id)", "{}"]
PATHS = [*WORDS, "..", "../up", "/proc/nothing", "/dev/null", "a/b", "\n", "a" * 300, "~"]
PATHS += ["latest", "auto", "-1", "runs", "CON"]
# Upper limits, because accepted command lines would otherwise train for long.
CHEAP = {
    "preset": ["smoke", "Smoke", "", "tiny", "None"],
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
# Options of each script with their defaults, whose types determine what is tried.
OPTIONS = {
    script: {name.replace("_", "-"): value for name, value in flat(module.Settings()).items()}
    for script, module in (("DDQN", DDQN), ("DQN", DQN))
}


@st.composite
def command_lines(draw: st.DrawFn) -> tuple[str, list[str]]:
    """Draw a script and the options of a tiny run, with one to four of them corrupted, and sometimes extra words."""
    script = draw(st.sampled_from(["DDQN", "DQN"]))
    options, chosen = OPTIONS[script], dict(TINY)
    for name in draw(st.lists(st.sampled_from(sorted(options)), min_size=1, max_size=4)):
        chosen[name] = draw(_values(name, options[name]))
    line = [word for name, text in chosen.items() for word in (f"--{name}", *_words(name, text))]
    line += draw(
        st.lists(st.sampled_from([*WORDS, "--colour", "--gamma", "--no-mirror"]), max_size=1)
    )
    return script, line


def _values(name: str, default: object) -> st.SearchStrategy[str]:
    if name in CHEAP:
        return st.sampled_from(CHEAP[name])
    known = {int: [*COUNTS, *COUNTS, "1.5", *WORDS], float: [*NUMBERS, *NUMBERS, *WORDS]}
    return st.sampled_from(known.get(type(default), PATHS))


def _words(name: str, text: str) -> list[str]:
    return text.split(" ") if name in ("convolutions", "dense") else [text]


def treatment(script: str, line: list[str], folder: Path) -> str:
    """Run a command line; returns whether it trained or was refused.

    Raises:
        AssertionError: If it did neither properly.
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
    """Run fuzzed command lines."""

    cases: int = 300
    """Number of command lines."""
    seed: int = 1
    """Seed of the fuzzing."""
    csv: Path = ROOT / "results" / "survival_command_lines.csv"
    """File for the results."""


def main(options: Options) -> None:
    """Run all command lines, and count the outcomes."""
    check_writable(options.csv)
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
