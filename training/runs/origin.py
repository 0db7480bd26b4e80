"""The origin of a run: program, machine, libraries, and everything that can change the last bits of results."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from system.cpus import usable_cpus
from system.times import now

LIBRARIES = ("gymnasium", "tensorflow", "keras", "numpy", "opencv-python-headless", "box2d")
# Variables with these prefixes may choose kernels, threads or precision. (TF_ alone is also Terraform's.)
PREFIXES = (
    *("TF_AUTO_MIXED_", "TF_CONV2D_", "TF_CPU_", "TF_CUDNN_", "TF_DETERMINISTIC_", "TF_DISABLE_"),
    *("TF_ENABLE_", "TF_FORCE_", "TF_FP16_", "TF_GPU_", "TF_MATMUL_", "TF_MKL_", "TF_NUM_"),
    *("TF_ONEDNN_", "TF_OVERRIDE_", "TF_SET_", "TF_USE_", "TF_XLA_", "XLA_", "ONEDNN_", "DNNL_"),
    *("MKL_", "OMP_", "OPENBLAS_", "NVIDIA_TF32", "CUBLAS_"),
    *("NPY_DISABLE_CPU_", "NPY_ENABLE_CPU_", "OPENCV_CPU_", "OPENCV_IPP", "GLIBC_TUNABLES"),
)
ROOT = Path(__file__).resolve().parents[2]


def origin(agent: str) -> dict[str, Any]:
    """Return what a run records when it starts."""
    return {
        "agent": agent,
        "started": now(),
        **program(),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {usable_cpus()} cores usable",
        "processor": processor(),
        "environment": environment(),
        "versions": {name: version(name) for name in LIBRARIES},
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
    }


def surroundings() -> dict[str, Any]:
    """Return everything that the last bits of results may depend on, by readable names."""
    ours = program()
    return {
        "processor": processor(),
        "commit": ours["commit"],
        "uncommitted change": ours.get("uncommitted"),
        "Python": platform.python_version(),
        **{name: version(name) for name in LIBRARIES},
    }


def differences(then: dict[str, Any], device: str = "CPU") -> list[str]:
    """Return the differences from `then` that may change the last bits of the result, one line each.

    Args:
        then: What the run recorded.
        device: What learns now.

    Raises:
        TypeError: If `then` was not made by `origin`.
    """
    found = []
    # Older runs did not record the device.
    now = origin("") | ({"device": device} if "device" in then else {})
    for before, after in zip(_comparable(then), _comparable(now), strict=True):
        names = sorted(before | after)
        found += [
            f"{k} was {before.get(k, 'not set')}, now {after.get(k, 'not set')}"
            for k in names
            if before.get(k) != after.get(k)
        ]
    return found


def _comparable(o: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    facts = {k: o.get(k) for k in ("commit", "python", "processor")}
    facts |= {k: o[k] for k in ("uncommitted", "device") if k in o}
    # Older runs did not record the environment.
    surroundings = o["environment"] if "environment" in o else environment()
    return facts | o.get("versions", {}), surroundings | {}


def environment() -> dict[str, str]:
    """Return the environment variables that may change the last bits."""
    return {k: v for k, v in sorted(os.environ.items()) if k.startswith(PREFIXES)}


def processor() -> str:
    """Return the kind of CPU, which the last bits of a network's outputs depend on."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    facts = {key.strip(): value.strip() for key, _, value in (x.partition(":") for x in lines)}
    wide = [f for f in ("avx512f", "avx2") if f in facts.get("flags", "").split()]
    names = [name for name in ("model name", "cpu family", "model") if name in facts]
    return ", ".join([*(facts[name] for name in names), *wide[:1]])


def program(root: Path = ROOT) -> dict[str, str]:
    """Return the commit of this program, and a hash of uncommitted changes; container images record their commit."""
    try:
        top = _git(root, "rev-parse", "--show-toplevel").decode().rstrip("\n")
        if not Path(top).samefile(root):  # unpacked inside another repository
            raise OSError
        commit = _git(root, "rev-parse", "HEAD").decode().strip()
        diff = _git(root, "diff", "--no-ext-diff", "--no-textconv", "HEAD")
    except (OSError, subprocess.CalledProcessError):
        return {"commit": os.environ.get("SOURCE_COMMIT", "unknown")}
    if not diff:
        return {"commit": commit}
    return {"commit": f"{commit}-dirty", "uncommitted": hashlib.sha256(diff).hexdigest()}


def _git(root: Path, *arguments: str) -> bytes:
    """Run git in the program's own folder, ignoring GIT_DIR and similar variables, and the user's settings.

    They would change what a diff looks like. That the folder may belong to another user, as in a container, is no
    danger: this program runs from it.
    """
    ours = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    ours |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    command = ["git", "-c", f"safe.directory={root}", *arguments]
    done = subprocess.run(command, cwd=root, capture_output=True, check=True, env=ours)
    return done.stdout
