"""The index of the laboratory's runs says what the files say."""

from __future__ import annotations

import json

from reports.experiments import FOLDER, NOTES, ROOT, index
from reports.report import with_block
from training.runs.compat import renamed


def test_the_index_is_up_to_date() -> None:
    """`python -m reports.experiments` makes it."""
    config = ROOT / "results" / "runs" / "ddqn-long-seed1" / "config.json"
    table = index(FOLDER, renamed(json.loads(config.read_text())))
    page = NOTES.read_text()
    assert with_block(page, "experiments", table) == page
    assert table.count("\n") > 30
