"""Figures as PNGs."""

from __future__ import annotations

import io

from matplotlib.figure import Figure

DPI = 130


def as_png(figure: Figure, dpi: int = DPI, mark: str = "") -> bytes:
    """A figure as a PNG.

    Args:
        figure: What is drawn.
        dpi: Dots per inch.
        mark: Says in the file which command made it; nothing if empty.
    """
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=dpi, metadata={"Software": mark} if mark else None)
    return file.getvalue()
