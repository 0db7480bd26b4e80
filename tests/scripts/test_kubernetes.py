"""The manifests, checked against the schemas of Kubernetes, and for what a cluster's admission would refuse."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

import DDQN
from system.exits import EXIT_BAD_INPUT, EXIT_STOPPED
from tests.support.command_line import ROOT

FOLDER = ROOT / "deploy" / "kubernetes"
VERSION = "1.34"


def manifests(folder: Path = FOLDER / "base") -> list[dict[str, Any]]:
    found = (
        d for path in sorted(folder.glob("*.yaml")) for d in yaml.safe_load_all(path.read_text())
    )
    return [d for d in found if d["kind"] != "Kustomization"]


def pods(documents: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The specification of every pod."""
    yield from (d["spec"]["template"]["spec"] for d in documents if "template" in d["spec"])


def refusals(documents: list[dict[str, Any]]) -> list[str]:
    """What the restricted Pod Security Standard and this project's own rules have against them."""
    found = []
    for pod in pods(documents):
        if not pod["securityContext"].get("runAsNonRoot"):
            found.append("may run as root")
        if pod.get("automountServiceAccountToken") is not False:
            found.append("has the cluster's token")
        for container in pod["containers"]:
            rights = container["securityContext"]
            if rights.get("allowPrivilegeEscalation") is not False:
                found.append("may gain rights")
            if rights["capabilities"]["drop"] != ["ALL"] or not rights["readOnlyRootFilesystem"]:
                found.append("has rights that it needs not")
            if "memory" not in container["resources"]["limits"]:
                found.append("may take all memory")
    return found


def test_kubernetes_would_take_them() -> None:
    assert {d["kind"] for d in manifests()} == {
        *("Job", "Deployment", "PersistentVolumeClaim", "NetworkPolicy")
    }
    for document in manifests():
        kubernetes_validate.validate(document, VERSION, strict=True)


def test_a_mistake_would_be_found() -> None:
    [job] = [d for d in manifests() if d["kind"] == "Job"]
    job["spec"]["template"]["spec"]["restartPolicies"] = "Never"
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(job, VERSION, strict=True)


def test_nothing_runs_as_root_or_is_reached_from_outside() -> None:
    documents = manifests()
    assert refusals(documents) == []
    assert not any(d["kind"] in ("Service", "Ingress") for d in documents)
    [policy] = [d["spec"] for d in documents if d["kind"] == "NetworkPolicy"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert not policy.keys() & {"ingress", "egress"}, "nothing is allowed"
    for pod in pods(documents):
        pod["securityContext"]["runAsNonRoot"] = False
    assert refusals(documents) == ["may run as root"] * 2


def test_the_job_knows_our_exit_codes_and_its_command_is_one_of_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from training.command_line import read_command_line

    [job] = [d["spec"] for d in manifests() if d["kind"] == "Job"]
    rules = {
        code: rule["action"]
        for rule in job["podFailurePolicy"]["rules"]
        for code in rule.get("onExitCodes", {}).get("values", [])
    }
    assert rules == {EXIT_BAD_INPUT: "FailJob", EXIT_STOPPED: "Ignore"}
    [container] = job["template"]["spec"]["containers"]
    assert container["command"] == ["python", "DDQN.py"]
    monkeypatch.setattr("sys.argv", ["DDQN.py", *container["args"]])
    command = read_command_line("DDQN", DDQN.PRESETS)
    assert (command.settings.name, command.run) == ("race", None)


@pytest.mark.skipif(not shutil.which("kubectl"), reason="needs kubectl")
@pytest.mark.parametrize("overlay", ["base", "gpu"])
def test_kustomize_makes_what_kubernetes_would_take(overlay: str) -> None:
    command = ["kubectl", "kustomize", str(FOLDER / overlay)]
    made = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    documents = list(yaml.safe_load_all(made))
    for document in documents:
        kubernetes_validate.validate(document, VERSION, strict=True)
    assert refusals(documents) == []
    limits = [c["resources"]["limits"] for pod in pods(documents) for c in pod["containers"]]
    gpus = [limit["nvidia.com/gpu"] for limit in limits if "nvidia.com/gpu" in limit]
    assert gpus == ([] if overlay == "base" else ["1"])
