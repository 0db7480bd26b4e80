"""The speed table, made from the CSV files that the benchmarks write."""

from __future__ import annotations

from pathlib import Path

from reports.markdown import table
from system.csv_files import read_csv


def speed_table(results: Path) -> str:
    """Make tables of speed ratios to other libraries, and of the difference between the cameras, in Markdown."""
    ratios = [
        [
            r["side"],
            r["rival"],
            f"**{float(r['ratio']):.1f}**",
            f"{float(r['lowest_ratio']):.1f} – {float(r['highest_ratio']):.1f}",
        ]
        for name in ("speed_world.csv", "speed_learner.csv")
        for r in read_csv(results / name)
    ]
    driven = [r for r in read_csv(results / "camera_difference.csv") if "rim" not in r["driver"]]
    frames = sum(int(r["frames"]) for r in driven)
    difference = sum(float(r["mean_difference"]) * int(r["frames"]) for r in driven) / frames
    worst = max(float(r["worst_difference"]) for r in driven)
    paired = read_csv(results / "camera_scores.csv")[0]
    parts = [
        table(("ours", "rival", "ratio", "lowest – highest of the rounds"), ratios),
        f"The two cameras differ by {difference:.2f} of 255 grey levels on average over {frames:,} frames of driven"
        f" episodes (worst frame {worst:.2f}), and the same weights score {float(paired['difference']):+.1f} points"
        f" [{float(paired['low']):+.1f}, {float(paired['high']):+.1f}] under the fast one (paired over"
        f" {paired['tracks']} tracks).",
    ]
    return "\n\n".join(parts)
