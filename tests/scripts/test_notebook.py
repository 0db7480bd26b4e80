"""The notebooks, run from their first cells to their last: one trains, the other opens what it made."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.support.command_line import ROOT
from training.runs.store import Runs

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")


def outputs(notebook: Any, cell: str) -> list[Any]:
    """What a cell gave."""
    (found,) = [c for c in notebook.cells if c.id == cell]
    given: list[Any] = found.outputs
    return given


def printed(notebook: Any, cell: str) -> str:
    """What a cell printed, however it was cut."""
    return "".join(o.text for o in outputs(notebook, cell) if o.output_type == "stream")


def executed(name: str) -> Any:
    """A notebook of ours, with today's outputs."""
    notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
    where = {"metadata": {"path": str(ROOT / "notebooks")}}
    nbclient.NotebookClient(notebook, timeout=500, resources=where).execute()
    return notebook


def picture(data: str) -> Image.Image:
    """A picture in base64."""
    return Image.open(io.BytesIO(base64.b64decode(data)))


def assert_plot_and_film(notebook: Any) -> None:
    [drawn] = [o.data["image/png"] for o in outputs(notebook, "curve") if "data" in o]
    colours = picture(drawn).convert("RGB").getcolors(10**6)
    assert colours and len(colours) > 5, "a plot, and not a blank sheet"
    (film,) = outputs(notebook, "drive")
    played = picture(film.data["text/html"].partition("base64,")[2].partition('"')[0])
    assert played.format == "GIF"
    assert getattr(played, "n_frames", 1) > 10


def test_one_trains_and_the_other_opens_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
    monkeypatch.setenv("RUNS", str(tmp_path))
    monkeypatch.setenv("DECISIONS", "640")
    monkeypatch.setenv("EPISODES", "1")
    trained = executed("train")
    assert_plot_and_film(trained)
    assert printed(trained, "train").count("decisions: ") == 2
    lines = printed(trained, "compare").splitlines()
    assert [line.partition(":")[0] for line in lines[-2:]] == ["pid", "ddqn"]
    run = Runs(tmp_path).resolve("-1")
    assert run.is_finished()

    monkeypatch.setenv("RUN", str(run.path))
    opened = executed("run")
    assert str(run.path) in printed(opened, "find")
    assert_plot_and_film(opened)
    (episode,) = outputs(opened, "episode")
    assert "Episode(track=" in episode.data["text/plain"]


def test_the_one_that_trains_is_kept_with_its_outputs() -> None:
    kept = nbformat.read(ROOT / "notebooks" / "train.ipynb", as_version=4)
    assert_plot_and_film(kept)
    assert "this run: 4 episodes" in printed(kept, "compare")
    other = nbformat.read(ROOT / "notebooks" / "run.ipynb", as_version=4)
    assert all(not c.get("outputs") for c in other.cells), "it opens everybody's own runs"
