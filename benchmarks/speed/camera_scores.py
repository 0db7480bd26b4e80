"""Tests whether the same weights drive equally well with both cameras, track by track.

python evaluate.py MODEL --camera official --csv OFFICIAL.csv
python evaluate.py MODEL --camera fast --csv FAST.csv
python -m benchmarks.speed.camera_scores OFFICIAL.csv FAST.csv
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

from benchmarks.rows import check_writable, show, write_rows
from evaluation.evaluation import bootstrap_interval
from evaluation.scores import read_episodes
from system.exits import exit_with_error


@dataclass(frozen=True)
class Options:
    """Compute the paired difference of the scores, fast minus official, with its 95 % bootstrap interval."""

    official: tyro.conf.Positional[Path]
    """Episodes under the official camera, from evaluate.py."""
    fast: tyro.conf.Positional[Path]
    """The same tracks under the fast camera."""
    csv: Path = Path("results/camera_scores.csv")
    """File for the result."""


def main(options: Options) -> None:
    """Read and compare the scores, write and print the result."""
    try:
        official, fast = (
            {e.track: e for e in read_episodes(path)} for path in (options.official, options.fast)
        )
        if official.keys() != fast.keys():
            raise ValueError(f"{options.official} and {options.fast} are not of the same tracks")
    except OSError as e:
        exit_with_error(f"{e.filename}: {e.strerror}")
    except ValueError as e:
        exit_with_error(e)
    check_writable(options.csv)
    scores = np.array([(official[t].score, fast[t].score) for t in sorted(official)])  # [n, 2]
    differences = scores[:, 1] - scores[:, 0]  # [n]
    low, high = bootstrap_interval(differences)
    row = {
        "tracks": str(len(differences)),
        "official_mean": f"{scores[:, 0].mean():.2f}",
        "fast_mean": f"{scores[:, 1].mean():.2f}",
        "difference": f"{differences.mean():.2f}",
        "low": f"{low:.2f}",
        "high": f"{high:.2f}",
        "official_laps": str(sum(e.laps for e in official.values())),
        "fast_laps": str(sum(e.laps for e in fast.values())),
    }
    write_rows(options.csv, [row])
    show("Scores of the same weights, fast minus official camera, 95 % interval", [row])
    verdict = "no difference shown" if low <= 0 <= high else "they differ"
    print(f"{verdict}: the interval {'contains' if low <= 0 <= high else 'does not contain'} 0")


if __name__ == "__main__":
    main(tyro.cli(Options))
