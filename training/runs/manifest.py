"""The manifest of a checkpoint: it lists the files with their checksums."""

from __future__ import annotations

import json
from typing import Any

from system.files import sha256
from training.runs.run_folder import CHECKPOINTS

FORMAT = 2
MANIFEST = "manifest.json"


class CheckpointError(ValueError):
    """A checkpoint cannot be used; the message says why."""


def checked_manifest(data: bytes, where: str, decisions: int, run: str) -> dict[str, Any]:
    """Read a manifest.

    Args:
        data: Content of a manifest.json.
        where: The checkpoint, for messages.
        decisions: The expected decisions.
        run: The expected identity of the run.

    Raises:
        CheckpointError: If it is damaged, or belongs to another run or checkpoint.
    """
    try:
        manifest: dict[str, Any] = json.loads(data)["manifest"]
        files = manifest["files"]
        if sealed(manifest) != data:
            raise ValueError("its SHA-256 is not the one that was saved")
        if manifest["format"] != FORMAT:
            raise CheckpointError(
                f"{where}: format {manifest['format']}, this program reads {FORMAT}"
            )
        if manifest["run"] != run or manifest["decisions"] != decisions:
            raise CheckpointError(
                f"{where}: belongs to another run or place, or config.json has changed"
            )
        if not all({"sha256", "bytes"} <= set(entry) for entry in files.values()):
            raise ValueError("entries")
    except CheckpointError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as e:
        raise CheckpointError(f"{where}/{MANIFEST}: missing or damaged ({e})") from None
    return manifest


def file_in_run(name: str, decisions: int) -> str:
    """Return the path, within a run's folder, of a file that a manifest names, or of the manifest."""
    if name.startswith("replay/"):
        return f"{CHECKPOINTS}/{name}"
    return f"{CHECKPOINTS}/{decisions:09d}/{name}"


def sealed(manifest: dict[str, Any]) -> bytes:
    """Serialise a manifest with its own SHA-256, always in the same form."""
    text = json.dumps(manifest, sort_keys=True)
    sealed = {"manifest": manifest, "sha256": sha256(text.encode())}
    return json.dumps(sealed, indent=1, sort_keys=True).encode()
