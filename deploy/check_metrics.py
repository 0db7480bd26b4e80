"""Starts a real Prometheus and a short training run, and evaluates every expression of the dashboard and the alerts.

python -m deploy.check_metrics          exit code 0 if every expression has a result

Needs prometheus and promtool (Debian package prometheus), and the extras metrics and mirror. All servers listen on
127.0.0.1 only.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deploy.ports import free_port

HERE = Path(__file__).resolve().parent
RULES = HERE / "prometheus"
SECONDS_AT_MOST = 240.0
TRAINING = ("--preset", "smoke", "--decisions", "1000000", "--workers", "1", "--device", "cpu")


def missing() -> str:
    """Return which programs this machine lacks; empty if none."""
    absent = [name for name in ("prometheus", "promtool") if not shutil.which(name)]
    return f"needs {' and '.join(absent)}" if absent else ""


def expressions() -> dict[str, str]:
    """Return every expression of the dashboard and every metric of the alerts, by a description."""
    dashboard = json.loads((RULES / "dashboard.json").read_text())
    found = {
        f"{panel['title']}, {target['legendFormat']}": str(target["expr"])
        for panel in dashboard["panels"]
        for target in panel["targets"]
    }
    rules = (RULES / "rules.yml").read_text()
    for metric in sorted(set(re.findall(r"race_\w+", rules))):
        found[f"the alerts' {metric}"] = metric
    return found


@contextmanager
def running(*command: str, folder: Path, cwd: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process within the context, with its output in a file."""
    with (folder / f"{Path(command[0]).name}.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=cwd, stdout=log, stderr=subprocess.STDOUT)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(60)


def ask(port: int, expression: str) -> list[Any]:
    """Evaluate an expression; returns an empty list if Prometheus has no result or does not answer."""
    query = urllib.parse.urlencode({"query": expression})
    try:
        with urllib.request.urlopen(
            f"http://127.0.0.1:{port}/api/v1/query?{query}", timeout=10
        ) as a:
            result: list[Any] = json.load(a)["data"]["result"]
            return result
    except OSError:
        return []


def check(folder: Path) -> list[str]:
    """Return the expressions that still have no result after the run has trained for a while.

    Raises:
        ChildProcessError: If promtool reports an error, or the training run ended.
    """
    for words in (("check", "config", "prometheus.yml"), ("test", "rules", "rules_test.yml")):
        done = subprocess.run(["promtool", *words], cwd=RULES, capture_output=True, text=True)
        if done.returncode:
            raise ChildProcessError(f"promtool {' '.join(words)}: {done.stdout}{done.stderr}")
    metrics, port = free_port(), free_port()
    config = (RULES / "prometheus.yml").read_text().replace("15s", "1s")
    config = config.replace("127.0.0.1:9464", f"127.0.0.1:{metrics}")
    (folder / "prometheus.yml").write_text(config)
    shutil.copy(RULES / "rules.yml", folder)
    mirror = folder / "mirror"  # because only runs with a mirror have its metrics
    mirror.mkdir()
    training = (sys.executable, "DDQN.py", *TRAINING, "--runs", str(folder / "runs"))
    mirrored = ("--mirror-to", mirror.as_uri())
    prometheus = (
        "prometheus",
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    )
    unanswered = expressions()
    with (
        running(
            *training, *mirrored, "--metrics-port", str(metrics), folder=folder, cwd=HERE.parent
        ) as run,
        running(*prometheus, folder=folder, cwd=folder),
    ):
        deadline = time.monotonic() + SECONDS_AT_MOST
        while unanswered and time.monotonic() < deadline:
            if run.poll() is not None:
                raise ChildProcessError("the training ended")
            unanswered = {k: e for k, e in unanswered.items() if not ask(port, e)}
            time.sleep(1)
    return [f"{name}: {expression}" for name, expression in unanswered.items()]


def main() -> None:
    """Check all expressions; exits with code 1 if one has no result."""
    if lacks := missing():
        raise SystemExit(f"error: {lacks}")
    with tempfile.TemporaryDirectory() as folder:
        problems = check(Path(folder))
    print(
        *problems, f"{len(expressions())} expressions, {len(problems)} without an answer", sep="\n"
    )
    raise SystemExit(bool(problems))


if __name__ == "__main__":
    main()
