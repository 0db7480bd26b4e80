from __future__ import annotations

import socket
import time
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.corridor import SETTINGS, TICK, StopAt, ddqn, drive_there
from training.tracking.metrics import GAUGES, MetricsLog
from training.tracking.run_log import Progress, Sink

pytestmark = pytest.mark.slow

ALL = 960  # decisions


def samples(text: str) -> dict[tuple[str, ...], float]:
    """Values by name and labels."""
    return {
        (s.name, *(f"{k}={v}" for k, v in sorted(s.labels.items()) if k != "commit")): s.value
        for family in text_string_to_metric_families(text)
        for s in family.samples
    }


def of_file(path: Path) -> dict[tuple[str, ...], float]:
    return samples(path.read_text())


class Scraper(Sink):
    """Asks over HTTP after every tick, as Prometheus would."""

    def __init__(self, port: int) -> None:
        self.url, self.seen = (
            f"http://127.0.0.1:{port}/metrics",
            list[dict[tuple[str, ...], float]](),
        )

    def progress(self, progress: Progress) -> None:
        with urllib.request.urlopen(self.url, timeout=30) as answer:
            self.seen.append(samples(answer.read().decode()))


def test_what_is_served_while_it_trains_is_what_happens(tmp_path: Path) -> None:
    log = MetricsLog()
    scraper = Scraper(log.serve("127.0.0.1", 0))
    log.write_to(tmp_path / "run.prom")
    settings = ddqn(tmp_path, decisions=ALL, validate_every=480, name="a")
    done = drive_there(settings, sinks=[log, scraper])
    ticks = [s for s in scraper.seen if ("race_decisions_total",) in s]
    decisions = sorted({s["race_decisions_total",] for s in ticks})
    assert decisions[-1] == ALL and len(decisions) >= ALL // TICK
    last = of_file(tmp_path / "run.prom")
    rows = (done.run / "validation.csv").read_text().split()[1:]
    assert last["race_updates_total",] == int(rows[-1].split(",")[1])
    assert last["race_validation_score",] == float(rows[-1].split(",")[3])
    ended = sum(v for k, v in last.items() if k[0] == "race_episodes_total")
    assert ended == len((done.run / "episodes.csv").read_text().split()) - 1
    assert last["race_tick_seconds_count",] == ALL // TICK
    assert last["race_tick_seconds_bucket", "le=+Inf"] == ALL // TICK
    assert last["race_phase_seconds_total", "phase=training"] > 0
    assert (
        last[
            "race_run_info",
            f"host={socket.gethostname()}",
            "preset=default",
            "run=DDQN/a",
            "seed=1",
        ]
        == 1
    )
    missing = {f"race_{name}" for name in GAUGES} - {key[0] for key in last}
    # No test was driven, and there was no mirror.
    assert missing == {"race_test_score", "race_mirror_last_success_timestamp_seconds"}
    with pytest.raises(OSError):
        urllib.request.urlopen(scraper.url, timeout=5)


def test_counters_go_on_over_a_resume(tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole.prom", tmp_path / "parts.prom"
    log = MetricsLog()
    log.write_to(whole)
    drive_there(ddqn(tmp_path, decisions=ALL), sinks=[log])
    stop, log = StopAt(480), MetricsLog()
    first = drive_there(ddqn(tmp_path, decisions=ALL), sinks=[stop, log], stop=stop)
    log = MetricsLog()
    log.write_to(parts)
    drive_there(ddqn(tmp_path, decisions=ALL), run=first.run, sinks=[log])
    counted = [
        {
            k: v
            for k, v in of_file(path).items()
            if k[0].endswith(("_total", "seconds_count")) and "seconds_total" not in k[0]
        }
        for path in (whole, parts)
    ]
    assert counted[0] == counted[1]
    assert counted[0]["race_decisions_total",] == ALL


def test_what_was_before_the_metrics_is_no_tick(tmp_path: Path) -> None:
    """A run begun without them goes on with them."""
    stop, log = StopAt(480), MetricsLog()
    first = drive_there(ddqn(tmp_path, decisions=ALL), sinks=[stop], stop=stop)
    drive_there(ddqn(tmp_path, decisions=ALL), run=first.run, sinks=[log])
    log.write_to(tmp_path / "late.prom")
    log.close()
    counted = of_file(tmp_path / "late.prom")
    ticks = (ALL - 480) / TICK
    assert counted["race_tick_seconds_count",] == ticks
    assert counted["race_updates_total",] == ticks * SETTINGS["updates_per_tick"]
    assert counted["race_decisions_total",] == ALL


def test_a_mirror_is_told_of(tmp_path: Path) -> None:
    """Also to a run that goes on: failures are counted over all of it."""
    log = MetricsLog()
    for whole in (False, True, False):
        log.mirrored(whole)
    again = MetricsLog()
    again.set_state(log.get_state())
    again.mirrored(False)
    again.write_to(tmp_path / "run.prom")
    again.close()
    found = of_file(tmp_path / "run.prom")
    assert found["race_mirror_failures_total",] == 3
    assert ("race_mirror_last_success_timestamp_seconds",) not in found
    again.mirrored(True)
    again.close()
    found = of_file(tmp_path / "run.prom")
    assert abs(found["race_mirror_last_success_timestamp_seconds",] - time.time()) < 60


def test_it_listens_where_it_is_told_and_nowhere_else() -> None:
    log = MetricsLog()
    port = log.serve("127.0.0.1", 0)
    with socket.socket() as other:
        assert other.connect_ex(("127.0.0.2", port)) != 0, "only the address that was named"
    with pytest.raises(ValueError, match=f"served at 127.0.0.1:{port}: Address already in use"):
        MetricsLog().serve("127.0.0.1", port)
    log.close()
    for address, number in (("127.0.0.1", 70_000), ("256.1.1.1", 0), ("no.such.host.invalid", 0)):
        with pytest.raises(ValueError, match="cannot be served"):
            MetricsLog().serve(address, number)


def test_a_file_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="none"):
        MetricsLog().write_to(tmp_path / "none" / "a" / "b.prom" / "")
    with pytest.raises(ValueError):
        MetricsLog().write_to(tmp_path)
