"""The manifests, checked against the schemas of Kubernetes, and for what a cluster's admission would refuse."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import kubernetes_validate
import pytest
import yaml

import DDQN
from deploy.check_manifests import CRDS, against_operator, against_us, problems, ray_pods
from system.exits import EXIT_BAD_INPUT, EXIT_STOPPED
from tests.support.command_line import ROOT

FOLDER = ROOT / "deploy" / "kubernetes"
VERSION = "1.34"


HEAD_POD = ("spec", "rayClusterSpec", "headGroupSpec", "template", "spec")
needs_kubectl = pytest.mark.skipif(not shutil.which("kubectl"), reason="needs kubectl")
needs_crds = pytest.mark.skipif(not os.environ.get(CRDS), reason=f"needs {CRDS}")


def manifests(*folders: str) -> list[dict[str, Any]]:
    found = (
        d
        for folder in folders or ("base", "job")
        for path in sorted((FOLDER / folder).glob("*.yaml"))
        for d in yaml.safe_load_all(path.read_text())
    )
    return [d for d in found if d.get("kind", "Kustomization") != "Kustomization"]


def kustomized(overlay: str) -> list[dict[str, Any]]:
    command = ["kubectl", "kustomize", str(FOLDER / overlay)]
    made = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return list(yaml.safe_load_all(made))


def ray_job() -> dict[str, Any]:
    [job] = [d for d in manifests("ray") if d["kind"] == "RayJob"]
    return job


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


def test_prometheus_is_let_in_to_the_metrics_and_nowhere_else() -> None:
    [policy] = [d for d in manifests("monitored") if d["kind"] == "NetworkPolicy"]
    kubernetes_validate.validate(policy, VERSION, strict=True)
    [rule] = policy["spec"]["ingress"]
    [source] = rule["from"]
    assert list(source) == ["namespaceSelector"] and source["namespaceSelector"]["matchLabels"]
    [monitor] = [d["spec"] for d in manifests("monitored") if d["kind"] == "PodMonitor"]
    assert monitor["selector"] == policy["spec"]["podSelector"]
    [job] = [d for d in manifests("job") if d["kind"] == "Job"]
    labels = job["spec"]["template"]["metadata"]["labels"]
    assert monitor["selector"]["matchLabels"].items() <= labels.items()
    [patches] = yaml.safe_load((FOLDER / "monitored" / "kustomization.yaml").read_text())["patches"]
    port, *words = [change["value"] for change in yaml.safe_load(patches["patch"])]
    assert [p["name"] for p in port] == [e["port"] for e in monitor["podMetricsEndpoints"]]
    assert [p["containerPort"] for p in port] == [p["port"] for p in rule["ports"]]
    assert words == [f"--metrics-port={port[0]['containerPort']}", "--metrics-address=0.0.0.0"]


@needs_kubectl
def test_kustomize_makes_the_monitored_job() -> None:
    [container] = next(pods([d for d in kustomized("monitored") if d["kind"] == "Job"]))[
        "containers"
    ]
    assert container["args"][-2:] == ["--metrics-port=9464", "--metrics-address=0.0.0.0"]


@needs_kubectl
@pytest.mark.parametrize("overlay", ["job", "gpu"])
def test_kustomize_makes_what_kubernetes_would_take(overlay: str) -> None:
    documents = kustomized(overlay)
    for document in documents:
        kubernetes_validate.validate(document, VERSION, strict=True)
    assert refusals(documents) == []
    limits = [c["resources"]["limits"] for pod in pods(documents) for c in pod["containers"]]
    gpus = [limit["nvidia.com/gpu"] for limit in limits if "nvidia.com/gpu" in limit]
    assert gpus == ([] if overlay == "job" else ["1"])


@pytest.mark.slow
@needs_crds
def test_the_operator_would_take_the_ray_job() -> None:
    job = ray_job()
    assert problems(job) == []
    job["spec"]["rayClusterSpec"]["workerGroupSpecs"][0]["minReplica"] = 1
    assert ["minReplica" in problem for problem in problems(job)] == [True]


@pytest.mark.slow
@needs_crds
@needs_kubectl
def test_the_cluster_alone_is_that_of_the_job() -> None:
    [cluster] = [d for d in kustomized("ray-cluster") if d["kind"].startswith("Ray")]
    assert (cluster["kind"], problems(cluster)) == ("RayCluster", [])
    images = [c["image"] for pod in ray_pods(cluster) for c in pod["containers"]]
    assert len(set(images)) == 1


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("metadata", "name"), "carracing-" * 5 + "ray", "DNS label of at most 47"),
        (("spec", "shutdownAfterJobFinishes"), False, "needs shutdownAfterJobFinishes"),
        (("spec", "clusterSelector"), {"a": "b"}, "backoffLimit cannot be combined"),
        (("spec", "rayClusterSpec", "enableInTreeAutoscaling"), False, "need the autoscaler"),
        (("spec", "rayClusterSpec", "rayVersion"), "2.51.0", "tokens need a rayVersion"),
        (("spec", "rayClusterSpec", "authOptions"), {"mode": "disabled"}, "may run programs"),
        (("spec", "rayClusterSpec", "headGroupSpec", "serviceType"), "LoadBalancer", "outside"),
        ((*HEAD_POD, "restartPolicy"), "Always", "requires restartPolicy Never"),
        ((*HEAD_POD, "securityContext"), {}, "ray-head may run as root"),
        ((*HEAD_POD, "containers", 0, "securityContext"), {}, "ray-head may gain rights"),
        ((*HEAD_POD, "containers", 0, "resources"), {}, "may take all memory"),
        (
            (*HEAD_POD, "containers", 0, "env", 0),
            {"name": "RAY_AUTH_TOKEN", "value": "x"},
            "has a token in its manifest",
        ),
    ],
    ids=lambda value: str(value)[-40:],
)
def test_mistakes_in_the_ray_job_are_found(path: tuple[Any, ...], value: Any, message: str) -> None:
    job = ray_job()
    assert against_operator(job) + against_us(job) == []
    part: Any = job
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value
    assert any(message in problem for problem in against_operator(job) + against_us(job))


def test_ray_is_the_one_of_the_lock_and_the_entry_point_one_of_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from training.command_line import read_command_line

    spec = ray_job()["spec"]
    lock = (ROOT / "requirements-cluster.lock").read_text()
    assert f"\nray=={spec['rayClusterSpec']['rayVersion']} " in lock
    python, script, *options = spec["entrypoint"].split()
    assert (python, script) == ("python", "/app/DDQN.py")
    monkeypatch.setattr("sys.argv", ["DDQN.py", *options])
    settings = read_command_line("DDQN", DDQN.PRESETS).settings
    assert (settings.pool, settings.address, settings.name) == ("ray", "auto", "race")


def test_the_ray_network_lets_in_only_the_cluster_and_the_operator() -> None:
    [policy] = [d["spec"] for d in manifests("ray") if d["kind"] == "NetworkPolicy"]
    kubernetes_validate.validate(
        next(d for d in manifests("ray") if d["kind"] == "NetworkPolicy"), VERSION, strict=True
    )
    cluster, operator = policy["ingress"]
    assert cluster["from"] == [{"podSelector": policy["podSelector"]}]
    assert [port["port"] for port in operator["ports"]] == [8265]
    assert all("ipBlock" not in peer for rule in policy["ingress"] for peer in rule["from"])
