"""Tables in Markdown."""

from __future__ import annotations

import pytest

from reports.markdown import table


def test_a_table_by_hand() -> None:
    assert (
        table(["a", "b"], [["1", "2"], ["3", "–"]]) == "| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | – |"
    )


def test_a_row_that_does_not_fit_its_head_is_refused() -> None:
    with pytest.raises(ValueError, match="2 cells below a header of 1"):
        table(["a"], [["1", "2"]])
