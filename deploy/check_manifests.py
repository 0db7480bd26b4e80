"""Checks the manifests of a Ray cluster without a cluster: KubeRay's schemas, KubeRay's other rules, and our own rules.

python -m deploy.check_manifests deploy/kubernetes/ray/*.yaml

The schemas are the CustomResourceDefinitions of KubeRay's Helm chart (helm-chart/kuberay-operator/crds/ in the
repository ray-project/kuberay); the variable KUBERAY_CRDS names their folder.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

KINDS = {"RayCluster": "ray.io_rayclusters.yaml", "RayJob": "ray.io_rayjobs.yaml"}
# The operator appends to these names, and the results must be DNS labels of at most 63 characters.
LONGEST_NAME = {"RayCluster": 53, "RayJob": 47}
TOKENS_SINCE = (2, 52)  # first rayVersion with tokens
CRDS = "KUBERAY_CRDS"
Document = dict[str, Any]


class NoSchemasError(Exception):
    """The operator's schemas were not found; the message says where to get them."""


@cache
def schema(kind: str) -> Document:
    """Load the schema of a kind and make it strict: unknown fields are refused, as by `kubectl apply`.

    Raises:
        NoSchemasError: If the schema was not found.
    """
    folder = os.environ.get(CRDS, "")
    path = Path(folder) / KINDS[kind]
    if not folder or not path.is_file():
        raise NoSchemasError(
            f"{CRDS} names no folder with {KINDS[kind]}, which is in kuberay-operator/crds/ of the Helm"
            " chart of KubeRay"
        )
    versions = yaml.safe_load(path.read_text())["spec"]["versions"]
    [found] = [v["schema"]["openAPIV3Schema"] for v in versions if v["name"] == "v1"]
    strict: Document = _strict(found)
    return strict


def _strict(part: Any) -> Any:
    if isinstance(part, list):
        return [_strict(p) for p in part]
    if not isinstance(part, dict):
        return part
    strict = {key: _strict(value) for key, value in part.items()}
    if "properties" in part and not part.get("x-kubernetes-preserve-unknown-fields"):
        strict.setdefault("additionalProperties", False)
    if part.get("x-kubernetes-int-or-string"):
        strict.pop("type", None)
    return strict


def problems(document: Document) -> list[str]:
    """Return the problems of a manifest, by the operator's schema and rules and by our own rules.

    Raises:
        NoSchemasError: If the schemas were not found.
    """
    return [*against_schema(document), *against_operator(document), *against_us(document)]


def against_schema(document: Document) -> list[str]:
    """Return violations of the schema: unknown fields and wrong types."""
    import jsonschema

    validator = jsonschema.Draft7Validator(schema(document["kind"]))
    return [f"{e.json_path}: {e.message}" for e in validator.iter_errors(document)]


def against_operator(document: Document) -> list[str]:
    """Return violations of the operator's rules that are not part of the schema."""
    found, kind, name, spec = [], document["kind"], document["metadata"]["name"], document["spec"]
    if not re.fullmatch("[a-z]([-a-z0-9]*[a-z0-9])?", name) or len(name) > LONGEST_NAME[kind]:
        found.append(
            f"the name {name} is not a DNS label of at most {LONGEST_NAME[kind]} characters"
        )
    if kind == "RayJob":
        if spec.get("ttlSecondsAfterFinished") and not spec.get("shutdownAfterJobFinishes"):
            found.append("ttlSecondsAfterFinished needs shutdownAfterJobFinishes")
        if spec.get("backoffLimit") and spec.get("clusterSelector"):
            found.append("backoffLimit cannot be combined with clusterSelector")
    cluster = _cluster(document)
    scaling = cluster.get("enableInTreeAutoscaling", False)
    for group in cluster["workerGroupSpecs"]:
        few, now, many = (group.get(k) for k in ("minReplicas", "replicas", "maxReplicas"))
        if not scaling and {few, many} - {None, now}:
            found.append(f"{group['groupName']}: minReplicas and maxReplicas need the autoscaler")
        if scaling and not few <= now <= many:
            found.append(f"{group['groupName']}: minReplicas <= replicas <= maxReplicas")
    if scaling and cluster.get("autoscalerOptions", {}).get("version") == "v2":
        kept = [p for p in ray_pods(document) if p.get("restartPolicy") != "Never"]
        found += ["the autoscaler v2 requires restartPolicy Never"] * bool(kept)
    version = tuple(map(int, cluster.get("rayVersion", "0.0").split(".")))
    if cluster.get("authOptions", {}).get("mode") == "token" and version < TOKENS_SINCE:
        found.append(f"tokens need a rayVersion of {TOKENS_SINCE} or newer")
    return found


def against_us(document: Document) -> list[str]:
    """Return violations of our own rules, about permissions and resource limits."""
    found, cluster = [], _cluster(document)
    if cluster.get("authOptions", {}).get("mode") != "token":
        found.append(
            "anybody who reaches the cluster may run programs: authOptions.mode must be token"
        )
    head = cluster["headGroupSpec"]
    if head.get("serviceType", "ClusterIP") != "ClusterIP" or head.get("enableIngress"):
        found.append("the head can be reached from outside")
    for pod in ray_pods(document):
        name = pod["containers"][0]["name"]
        if not pod.get("securityContext", {}).get("runAsNonRoot"):
            found.append(f"{name} may run as root")
        if pod.get("automountServiceAccountToken") is not False and name != "ray-head":
            found.append(f"{name} has the cluster's token")
        for container in pod["containers"]:
            rights = container.get("securityContext", {})
            if rights.get("allowPrivilegeEscalation") is not False:
                found.append(f"{name} may gain rights")
            if not rights.get("readOnlyRootFilesystem") or "ALL" not in rights.get(
                "capabilities", {}
            ).get("drop", ()):
                found.append(f"{name} has rights that it does not need")
            if "memory" not in container.get("resources", {}).get("limits", {}):
                found.append(f"{name} may take all memory")
            if any("TOKEN" in e["name"] and "value" in e for e in container.get("env", ())):
                found.append(f"{name} has a token in its manifest")
    return found


def _cluster(document: Document) -> Document:
    found: Document = document["spec"]
    return found["rayClusterSpec"] if document["kind"] == "RayJob" else found


def ray_pods(document: Document) -> Iterator[Document]:
    """Yield the specification of every pod."""
    cluster = _cluster(document)
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        yield group["template"]["spec"]
    if "submitterPodTemplate" in document["spec"]:
        yield document["spec"]["submitterPodTemplate"]["spec"]


def main(paths: list[str]) -> None:
    """Print all problems; exits with code 1 if there are any."""
    bad = 0
    for path in paths:
        for document in yaml.safe_load_all(Path(path).read_text()):
            if document and document.get("kind") in KINDS:
                try:
                    found = problems(document)
                except NoSchemasError as e:
                    print(f"skipped: {e}")
                    return
                bad += len(found)
                name = f"{document['kind']} {document['metadata']['name']}"
                print("\n".join([f"{path}: {name}: {len(found)} problems", *found]))
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
