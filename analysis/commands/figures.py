"""Figures of several methods, layers and images at once, each row with its scale."""

from collections.abc import Sequence
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from analysis import draw


class Row(NamedTuple):
    """One method's maps of all images, on one scale or each on its own.

    Attributes:
      label: of the row.
      unit: what a value measures.
      signed: two hues about zero.
      values: (N, H, W).
      own_scales: whether each image has its own scale, written above it.
    """

    label: str
    unit: str
    signed: bool
    values: np.ndarray
    own_scales: bool = False


class Tile(NamedTuple):
    """Pictures of one row with a word under each.

    Attributes:
      label: of the row.
      images: (N, H, W, C) in [0, 1].
      notes: one an image.
      boxes: (N, 4) top, left, bottom and right of a frame in each, in pixels; None: none.
    """

    label: str
    images: np.ndarray
    notes: Sequence[str]
    boxes: np.ndarray | None = None


SIDE, GAP, LABEL, BAR = 1.0, 0.06, 1.5, 1.7


@mpl.rc_context(draw.STYLE)
def maps(images: np.ndarray, titles: Sequence[str], rows: Sequence[Row], heading: str) -> Figure:
    """Images, and below them a row for each method with its name, colour bar and unit.

    Args:
      images: (N, H, W, C) in [0, 1].
      titles: one an image, of the same number of lines.
      rows: the maps.
      heading: above all.

    Returns:
      A figure.

    Example:
      >>> rows = [Row("saliency", "|gradient|", False, np.ones((2, 8, 8)))]
      >>> [text.get_text() for text in maps(np.zeros((2, 8, 8, 1)), ["a", "b"], rows, "net").texts]
      ['net', 'saliency']
    """
    lines = max(title.count("\n") + 1 for title in titles)
    line = 0.16 if any(row.own_scales for row in rows) else 0.0
    figure, place = _sheet(images, 1 + len(rows), heading, top=0.13 * lines, line=line, right=BAR)
    for column, (image, title) in enumerate(zip(draw.rgb(images), titles, strict=True)):
        place(0, column, image).set_title(title, pad=2, fontsize=7)
    for number, row in enumerate(rows, 1):
        limits = [draw.limit(row.values if not row.own_scales else values) for values in row.values]
        for column, (values, saturation) in enumerate(zip(row.values, limits, strict=True)):
            own = slice(column, column + 1)
            axes = place(number, column, draw.blend(images[own], values[np.newaxis], saturation, row.signed)[0])
            if row.own_scales:
                axes.set_title(f"{'±' if row.signed else '≥ '}{saturation:.2g}", pad=2, fontsize=7)
        corner = axes.get_position()
        _label(figure, row.label, corner)
        width, height = figure.get_size_inches()
        bar = figure.add_axes((corner.x1 + 0.15 / width, corner.y0 + 0.5 / height, 1.35 / width, 0.1 / height))
        saturation = 1.0 if row.own_scales else limits[0]
        low = -saturation if row.signed else 0.0
        ends = [f"{low:.2g}", f"{saturation:.2g}"]
        if row.own_scales:
            ends = ["−above" if row.signed else "0", "above"]
        bar.imshow(draw.ramp(row.signed), aspect="auto", extent=(low, saturation, 0.0, 1.0))
        bar.set_yticks([])
        bar.set_xticks([low, saturation], ends)
        bar.tick_params(labelsize=7)
        for text, side in zip(bar.get_xticklabels(), ("left", "right"), strict=True):
            text.set_horizontalalignment(side)
        bar.set_xlabel(row.unit, fontsize=7)
    return figure


@mpl.rc_context(draw.STYLE)
def tiles(rows: Sequence[Tile], heading: str) -> Figure:
    """Rows of pictures of one size, with the row's name at the left and a word above each.

    Args:
      rows: none with more images than the first.
      heading: above all.

    Returns:
      A figure.

    Example:
      >>> figure = tiles([Tile("stem", np.zeros((2, 8, 8, 1)), ["a", "b"])], "net")
      >>> [axes.get_title() for axes in figure.axes]
      ['a', 'b']
    """
    figure, place = _sheet(rows[0].images, len(rows), heading, line=0.16)
    for number, row in enumerate(rows):
        for column, (image, note) in enumerate(zip(draw.rgb(row.images), row.notes, strict=True)):
            axes = place(number, column, image)
            axes.set_title(note, pad=2, fontsize=7)
            if row.boxes is not None:
                top, left, bottom, right = row.boxes[column]
                frame = mpl.patches.Rectangle((left - 0.5, top - 0.5), right - left, bottom - top, fill=False)
                frame.set(edgecolor=draw.PALETTE["second"], linewidth=1.2)
                axes.add_patch(frame)
        _label(figure, row.label, axes.get_position())
    return figure


def _sheet(images: np.ndarray, rows: int, heading: str, top: float = 0.0, line: float = 0.0, right: float = GAP):
    """A figure with room for rows of images; `top` inches above the first row, `line` above each."""
    count, tall = len(images), SIDE * images.shape[1] / images.shape[2]
    step, top = tall + GAP + line, top + 0.4
    size = max(LABEL + count * (SIDE + GAP) + right, 0.075 * len(heading)), top + rows * step
    figure = Figure(figsize=size)
    figure.text(GAP / size[0], 1 - 0.08 / size[1], heading, va="top", fontsize=9)

    def place(row: int, column: int, image: np.ndarray):
        left, bottom = LABEL + column * (SIDE + GAP), size[1] - top - (row + 1) * step + GAP
        axes = figure.add_axes((left / size[0], bottom / size[1], SIDE / size[0], tall / size[1]))
        axes.imshow(image, interpolation="nearest", vmin=0, vmax=1, aspect="auto")
        axes.set_axis_off()
        return axes

    return figure, place


def _label(figure: Figure, text: str, corner) -> None:
    words = text.replace(", ", ",\n")
    figure.text(GAP / figure.get_figwidth(), (corner.y0 + corner.y1) / 2, words, va="center", fontsize=8)
