"""Encodes figures as PNG."""

from __future__ import annotations

import io

from matplotlib.figure import Figure

DPI = 130


def as_png(figure: Figure, dpi: int = DPI, mark: str = "") -> bytes:
    """Encode a figure as PNG.

    Args:
        figure: The figure.
        dpi: Dots per inch.
        mark: Text in the file's metadata that names the command; none if empty.
    """
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=dpi, metadata={"Software": mark} if mark else None)
    return file.getvalue()
