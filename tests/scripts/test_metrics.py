"""The dashboard and the alerts, asked of a real Prometheus beside a real training."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deploy.check_metrics import RULES, check, expressions, missing
from training.tracking.metrics import COUNTERS, GAUGES


def test_the_dashboard_shows_every_metric() -> None:
    asked = " ".join(expressions().values())
    unseen = {name for name in (*COUNTERS, *GAUGES) if f"race_{name}" not in asked}
    assert unseen == {"test_score"}
    panels = json.loads((RULES / "dashboard.json").read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels) > 10


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(bool(missing()), reason=missing() or "all is there")
def test_every_panel_and_every_alert_has_data(tmp_path: Path) -> None:
    assert check(tmp_path) == []
