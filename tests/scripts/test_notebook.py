"""The notebook, run from its first cell to its last on a run that the real script made."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.support.command_line import ROOT, arguments, start

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


def outputs(notebook: Any, cell: str) -> list[Any]:
    """What a cell gave."""
    (found,) = [c for c in notebook.cells if c.id == cell]
    given: list[Any] = found.outputs
    return given


def picture(data: str) -> Image.Image:
    """A picture in base64."""
    return Image.open(io.BytesIO(base64.b64decode(data)))


@pytest.mark.parametrize("what", ["a run", "the published weights"])
def test_it_plots_a_run_and_shows_it_drive(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    if what == "a run":
        opened = tmp_path / "DDQN" / "a"
        trained = start("DDQN", *arguments(runs=str(tmp_path), name="a", decisions=320))
        _, err = trained.communicate(timeout=200)
        assert trained.returncode == 0, err
    else:
        opened = ROOT / "models" / "ddqn.safetensors"
    monkeypatch.setenv("RUN", str(opened))
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
    notebook = nbformat.read(ROOT / "notebooks" / "run.ipynb", as_version=4)
    assert all(not c.get("outputs") for c in notebook.cells), "it is kept without outputs"
    where = {"metadata": {"path": str(ROOT / "notebooks")}}
    nbclient.NotebookClient(notebook, timeout=300, resources=where).execute()
    told = outputs(notebook, "find")
    assert str(opened) in told[0].text
    [drawn] = [o.data["image/png"] for o in outputs(notebook, "curve") if "data" in o]
    colours = picture(drawn).convert("RGB").getcolors(10**6)
    assert colours and len(colours) > 5, "a plot, and not a blank sheet"
    (film,) = outputs(notebook, "drive")
    played = picture(film.data["text/html"].partition("base64,")[2].partition('"')[0])
    assert played.format == "GIF"
    assert getattr(played, "n_frames", 1) > 10
    (episode,) = outputs(notebook, "episode")
    assert "Episode(track=" in episode.data["text/plain"]
