"""Figures of images: side by side, in sections, under maps."""

import math
from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from analysis.draw.colour import blend, limit, ramp, rgb
from analysis.draw.style import PALETTE, STYLE


def grid(images: ArrayLike, titles: Sequence[str] | None = None, columns: int = 8) -> Figure:
    """Images side by side, a title above each.

    Args:
      images: (N, H, W, C) in [0, 1], one or three channels.
      titles: one an image; None: none.
      columns: images in a row.

    Returns:
      A figure.

    Example:
      >>> len(grid(np.zeros((3, 8, 8, 1)), ["a", "b", "c"]).axes)
      3
    """
    images = rgb(images)
    return _panels(images, titles, min(columns, len(images)))


@mpl.rc_context(STYLE)
def mosaic(
    images: ArrayLike,
    titles: Sequence[str] | None = None,
    notes: Mapping[int, str] | None = None,
    columns: int | None = None,
    boxes: ArrayLike | None = None,
    side: float = 0.75,
) -> Figure:
    """Many small images on one sheet, numbered, with a word under those that need one.

    Args:
      images: (N, H, W, C) in [0, 1], one or three channels.
      titles: one an image, above it; None: its number.
      notes: words under some of them, by number.
      columns: images in a row; None: as many as make the sheet about square, at most 12.
      boxes: (N, 4) top, left, bottom and right of a frame in each, in pixels; None: none.
      side: width of a tile in inches.

    Returns:
      A figure with one axes, in inches.

    Raises:
      ValueError: images of another shape, or not one title each.

    Example:
      >>> figure = mosaic(np.zeros((3, 8, 8, 1)), notes={1: "dead"})
      >>> [text.get_text() for text in figure.axes[0].texts]
      ['0', '1', 'dead', '2']
    """
    images, notes = rgb(images), notes or {}
    count, pixels, across = images.shape[:3]
    titles = [str(number) for number in range(count)] if titles is None else titles
    if len(titles) != count:
        raise ValueError(f"{len(titles)} titles for {count} images: give one each")
    columns = min(count, columns or min(12, math.ceil(math.sqrt(1.4 * count))))
    tall, line = side * pixels / across, 0.14
    step = tall + line * (2 if notes else 1) + 0.06
    rows = math.ceil(count / columns)
    size = columns * (side + 0.06) + 0.06, rows * step + 0.06
    figure = Figure(figsize=size)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, size[0]), ylim=(size[1], 0))
    axes.set_axis_off()
    for index, image in enumerate(images):
        row, column = divmod(index, columns)
        left, top = column * (side + 0.06) + 0.06, row * step + 0.04 + line
        extent = (left, left + side, top + tall, top)
        axes.imshow(image, interpolation="nearest", vmin=0, vmax=1, extent=extent, aspect="auto")
        axes.text(left, top - 0.03, titles[index], fontsize=7, va="bottom")
        if index in notes:
            axes.text(left, top + tall + 0.03, notes[index], fontsize=7, va="top", color=PALETTE["second"])
        if boxes is not None:
            upper, start, lower, end = np.asarray(boxes)[index] * side / across
            frame = mpl.patches.Rectangle((left + start, top + upper), end - start, lower - upper)
            frame.set(fill=False, edgecolor=PALETTE["second"], linewidth=0.9)
            axes.add_patch(frame)
    axes.set(xlim=(0, size[0]), ylim=(size[1], 0))
    return figure


@mpl.rc_context(STYLE)
def sheet(
    images: ArrayLike,
    rows: Sequence[str],
    columns: Sequence[str],
    keys: Mapping[str, Sequence[str]] | None = None,
) -> Figure:
    """A table of images, with a name for each row and column and the key of its colours below.

    Args:
      images: (rows, columns, H, W, C) in [0, 1], one or three channels.
      rows: names, at the left.
      columns: names, above.
      keys: colour bars of maps in the table: what each measures, and the labels of its ends, or of its lower end, its
        middle and its upper end where the maps are signed; None: there are none.

    Returns:
      A figure; its first axes are the images, row by row, then come the bars.

    Raises:
      ValueError: images of another shape, or not one name each.

    Example:
      >>> figure = sheet(np.zeros((1, 2, 8, 8, 1)), ["saliency"], ["cat", "dog"], {"gradient": ("0", "1")})
      >>> len(figure.axes), [text.get_text() for text in figure.texts]
      (3, ['cat', 'dog', 'saliency'])
    """
    images, keys = np.asarray(images), keys or {}
    if images.ndim != 5 or images.shape[:2] != (len(rows), len(columns)):
        raise ValueError(
            f"images of shape {images.shape} for {len(rows)} rows and {len(columns)} columns: "
            f"expected ({len(rows)}, {len(columns)}, H, W, C)"
        )
    side, gap, left, top, bottom = 0.9, 0.05, 1.35, 0.25, 0.8 if keys else 0.0
    tall = side * images.shape[2] / images.shape[3]
    width, height = left + len(columns) * (side + gap), top + len(rows) * (tall + gap) + bottom
    figure = Figure(figsize=(width, height))
    for (row, column), panel in zip(
        np.ndindex(*images.shape[:2]), rgb(images.reshape(-1, *images.shape[2:])), strict=True
    ):
        start, under = left + column * (side + gap), height - top - row * (tall + gap) - tall
        axes = figure.add_axes((start / width, under / height, side / width, tall / height))
        axes.imshow(panel, interpolation="nearest", vmin=0, vmax=1, aspect="auto")
        axes.set_axis_off()
    for column, name in enumerate(columns):
        place = (left + column * (side + gap) + side / 2) / width
        figure.text(place, 1 - 0.18 / height, name, ha="center", fontsize=8)
    for row, name in enumerate(rows):
        place = 1 - (top + row * (tall + gap) + tall / 2) / height
        figure.text((left - 0.08) / width, place, name, ha="right", va="center", fontsize=8)
    for number, (measure, labels) in enumerate(keys.items()):
        signed = len(labels) == 3
        bar = figure.add_axes(((left + 4.2 * number) / width, 0.38 / height, 3.4 / width, 0.1 / height))
        bar.imshow(ramp(signed), aspect="auto", extent=(-1.0 if signed else 0.0, 1.0, 0.0, 1.0))
        bar.set_yticks([])
        bar.set_xticks((-1, 0, 1) if signed else (0, 1), labels)
        bar.set_title(measure, pad=3, fontsize=8)
        bar.tick_params(labelsize=8)
        first, *_, last = bar.get_xticklabels()
        first.set_horizontalalignment("left")
        last.set_horizontalalignment("right")
    return figure


@mpl.rc_context(STYLE)
def overlay(
    images: ArrayLike,
    maps: ArrayLike,
    titles: Sequence[str] | None = None,
    unit: str = "",
    signed: bool | None = None,
    columns: int = 8,
) -> Figure:
    """Heat maps over their images in grey, on one scale, with its colour bar.

    Args:
      images: (N, H, W, C) in [0, 1], one or three channels.
      maps: (N, H, W), in any unit.
      titles: one an image; None: none.
      unit: what the maps measure, written at the colour bar.
      signed: two hues about zero; None: if any value is negative.
      columns: images in a row.

    Returns:
      A figure.

    Example:
      >>> figure = overlay(np.zeros((2, 8, 8, 1)), np.ones((2, 8, 8)), unit="logit")
      >>> figure.axes[-1].get_xlabel()
      'logit'
    """
    maps = np.asarray(maps, np.float64)
    signed = bool((maps < 0).any()) if signed is None else signed
    saturation = limit(maps)
    figure = _panels(blend(images, maps, saturation, signed), titles, min(columns, len(maps)), footer=0.65)
    height = figure.get_figheight()
    bar = figure.add_axes((0.3, 0.46 / height, 0.4, 0.1 / height))
    bar.imshow(ramp(signed), aspect="auto", extent=(-saturation if signed else 0.0, saturation, 0.0, 1.0))
    bar.set_yticks([])
    bar.set_xlabel(unit)
    return figure


@mpl.rc_context(STYLE)
def _panels(images: np.ndarray, titles: Sequence[str] | None, columns: int, footer: float = 0.0) -> Figure:
    if titles is not None and len(titles) != len(images):
        raise ValueError(f"{len(titles)} titles for {len(images)} images: give one each")
    rows = math.ceil(len(images) / columns)
    line = 0.0 if titles is None else 0.2
    side, height = 0.9, rows * (0.95 + line) + footer
    figure = Figure(figsize=(columns * (side + 0.05), height))
    for index, image in enumerate(images):
        row, column = divmod(index, columns)
        bottom = height - (row + 1) * (0.95 + line) + 0.02
        axes = figure.add_axes((column / columns, bottom / height, side / (columns * (side + 0.05)), side / height))
        axes.imshow(image, interpolation="nearest", vmin=0, vmax=1)
        axes.set_axis_off()
        if titles is not None:
            axes.set_title(titles[index], pad=2)
    return figure
