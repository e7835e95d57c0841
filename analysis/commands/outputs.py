"""A figure and the numbers in it, written whole or not at all."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from convzoo import files

if TYPE_CHECKING:  # matplotlib is slow to import
    from matplotlib.figure import Figure


def write(path: Path, figure: Figure, arrays: Mapping[str, Any]) -> list[Path]:
    """Write a figure, and beside it its numbers as `.npz`.

    Args:
      path: of the figure, `.png` or `.svg`; its directory is made.
      figure: what to draw.
      arrays: by name.

    Returns:
      The paths written.
    """
    from analysis import draw

    numbers = path.with_suffix(".npz")
    picture = draw.png(figure) if path.suffix == ".png" else draw.svg(figure).encode()
    stream = io.BytesIO()
    entries: dict[str, Any] = {name: np.asarray(value) for name, value in arrays.items()}
    np.savez_compressed(stream, **entries)
    path.parent.mkdir(parents=True, exist_ok=True)
    return [files.write(path, picture), files.write(numbers, stream.getvalue())]
