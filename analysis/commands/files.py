"""A figure and the numbers in it, written whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

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
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = {file: file.with_name(f".{file.name}.part") for file in (path, numbers)}
    try:
        partial[path].write_bytes(picture)
        with partial[numbers].open("wb") as stream:
            entries: dict[str, Any] = {name: np.asarray(value) for name, value in arrays.items()}
            np.savez_compressed(stream, **entries)
        for file, part in partial.items():
            part.replace(file)
    finally:
        for part in partial.values():
            part.unlink(missing_ok=True)
    return [path, numbers]
