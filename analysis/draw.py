"""Pictures as a paper prints them, drawn without a screen.

Every function returns a `matplotlib.figure.Figure` that belongs to nobody: no global state is touched, and
`svg` and `png` turn it into what a file or a page takes. Series are told apart by dash and marker as well as
by colour (Okabe & Ito's palette), and maps by lightness as well as by hue.
"""

import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator
from numpy.typing import ArrayLike
from PIL import Image

PALETTE = {
    "ink": "#1b1b1b",
    "muted": "#6a6a6a",
    "rule": "#d2d2d2",
    "paper": "#ffffff",
    "first": "#0072b2",
    "second": "#d55e00",
    "third": "#009e73",
    "fourth": "#cc79a7",
}
SERIES = (("first", "-", "o"), ("second", "--", "s"), ("third", ":", "^"), ("fourth", "-.", "D"))
AGAINST, FOR = np.array([0.25, 0.65, 1.0]), np.array([1.0, 0.42, 0.1])
STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "axes.linewidth": 0.6,
    "axes.edgecolor": PALETTE["muted"],
    "axes.labelcolor": PALETTE["ink"],
    "axes.titlecolor": PALETTE["ink"],
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": PALETTE["muted"],
    "ytick.color": PALETTE["muted"],
    "xtick.labelcolor": PALETTE["ink"],
    "ytick.labelcolor": PALETTE["ink"],
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "text.color": PALETTE["ink"],
    "legend.frameon": False,
    "lines.linewidth": 1.4,
    "lines.markersize": 3.5,
    "svg.fonttype": "none",
    "svg.hashsalt": "convzoo",
}


def rgb(images: ArrayLike) -> np.ndarray:
    """Images of one or three channels as (N, H, W, 3) in [0, 1].

    Raises:
      ValueError: another shape.
    """
    images = np.asarray(images, np.float64)
    if images.ndim != 4 or images.shape[-1] not in (1, 3):
        raise ValueError(f"images of shape {images.shape}: expected (N, H, W, C) with 1 or 3 channels")
    return np.broadcast_to(np.clip(images, 0, 1), (*images.shape[:3], 3))


def limit(maps: ArrayLike, percentile: float = 99.5) -> float:
    """The magnitude at which the colours of maps saturate: a percentile over all of them, so they can be compared.

    Example:
      >>> limit(np.array([[[-4.0, 1.0]]]), percentile=100)
      4.0
    """
    magnitudes = abs(np.asarray(maps, np.float64))
    return float(np.percentile(magnitudes, percentile)) or float(magnitudes.max()) or 1.0


def blend(images: ArrayLike, maps: ArrayLike, saturation: float, signed: bool) -> np.ndarray:
    r"""Heat maps over grey images.

    .. math:: (1 - \alpha)\,\text{grey} + \alpha\,\text{colour}(t), \qquad
              t = \operatorname{clip}(m / s, -1, 1), \quad \alpha = |t|^{0.7}

    Args:
      images: (N, H, W, C) in [0, 1].
      maps: (N, H, W), in any unit.
      saturation: the magnitude s that gets the full colour; see `limit`.
      signed: orange above zero and blue below, or one sequence from dark to bright for magnitudes.

    Returns:
      (N, H, W, 3) in [0, 1].

    Raises:
      ValueError: maps that do not have the images' shape.

    Example:
      >>> blend(np.zeros((1, 2, 2, 1)), np.ones((1, 2, 2)), saturation=1, signed=True)[0, 0, 0]
      array([1.  , 0.42, 0.1 ])
    """
    shares = np.clip(np.asarray(maps, np.float64) / saturation, -1, 1)[..., np.newaxis]
    if shares.shape != (*np.shape(images)[:3], 1):
        raise ValueError(f"maps of shape {np.shape(maps)} for images of shape {np.shape(images)}: expected (N, H, W)")
    colour, alpha = tint(shares[..., 0], signed)
    return (1 - alpha) * ground(images) + alpha * colour


def tint(shares: ArrayLike, signed: bool) -> tuple[np.ndarray, np.ndarray]:
    """What `blend` lays over grey for values as shares of the saturation.

    Args:
      shares: (...) in [−1, 1].
      signed: as in `blend`.

    Returns:
      (..., 3) colours and (..., 1) opacities, in [0, 1].

    Example:
      >>> tint([0.0, 1.0], signed=True)[1].ravel()
      array([0., 1.])
    """
    shares = np.asarray(shares, np.float64)[..., np.newaxis]
    if signed:
        colour = np.where(shares < 0, AGAINST, FOR)
    else:
        colour = mpl.colormaps["inferno"](0.3 + 0.65 * abs(shares[..., 0]))[..., :3]
    return colour, abs(shares) ** 0.7


def ground(images: ArrayLike) -> np.ndarray:
    """(N, H, W, 1) the dimmed grey that `blend` lays colours over."""
    return 0.12 + 0.6 * rgb(images).mean(-1, keepdims=True)


def ramp(signed: bool, length: int = 128) -> np.ndarray:
    """(1, length, 3) colour bar of `blend` over mid-grey, from −s or 0 to s."""
    shares = np.linspace(-1 if signed else 0, 1, length)
    return blend(np.full((1, 1, length, 1), 0.5), shares[np.newaxis, np.newaxis], 1.0, signed)[0]


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


@mpl.rc_context(STYLE)
def curves(
    series: Mapping[str, ArrayLike],
    x: ArrayLike | None = None,
    xlabel: str = "epoch",
    ylabel: str = "",
    logarithmic: bool = False,
    size: tuple[float, float] = (3.6, 2.5),
) -> Figure:
    """Lines over a common axis, told apart by colour, dash and marker.

    Args:
      series: name of each line and its values.
      x: where the values lie; None: 1, 2, ….
      xlabel, ylabel: quantity and unit of the axes.
      logarithmic: a logarithmic vertical axis.
      size: width and height in inches.

    Returns:
      A figure.

    Raises:
      ValueError: more than four lines, or lengths that differ.

    Example:
      >>> curves({"train": [0.5, 0.9], "test": [0.4, 0.8]}, ylabel="accuracy").axes[0].get_xlabel()
      'epoch'
    """
    lengths = {name: len(np.asarray(values)) for name, values in series.items()}
    x = np.arange(1, 1 + max(lengths.values())) if x is None else np.asarray(x)
    if set(lengths.values()) != {len(x)} or len(series) > len(SERIES):
        raise ValueError(
            f"lines of {lengths} points over {len(x)}: expected equal lengths and at most {len(SERIES)} lines"
        )
    figure, axes = _axes(size)
    for (name, values), (colour, dash, marker) in zip(series.items(), SERIES, strict=False):
        every = max(1, len(x) // 10)
        axes.plot(x, values, dash, color=PALETTE[colour], marker=marker, markevery=every, label=name)
    axes.set(xlabel=xlabel, ylabel=ylabel)
    if logarithmic:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_locator(NullLocator())
    if np.issubdtype(x.dtype, np.integer):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(axis="y", color=PALETTE["rule"], linewidth=0.5)
    axes.set_axisbelow(True)
    axes.legend()
    return figure


@mpl.rc_context(STYLE)
def robustness(epsilons: ArrayLike, accuracies: Mapping[str, ArrayLike], chance: float | None = None) -> Figure:
    """Accuracy under attack over the size of the perturbation.

    Args:
      epsilons: bounds on each pixel's change, as fractions of its range, ascending from 0.
      accuracies: name of each attack and its accuracy at each bound, in [0, 1].
      chance: accuracy of guessing; None: not drawn.

    Returns:
      A figure; the horizontal axis is in steps of 1/255, evenly spaced from one bound to the next.

    Example:
      >>> robustness([0, 1 / 255], {"FGSM": [0.9, 0.5]}).axes[0].get_ylabel()
      'accuracy (%)'
    """
    epsilons = np.asarray(epsilons, np.float64)
    percent = {name: 100 * np.asarray(values) for name, values in accuracies.items()}
    figure = curves(percent, np.arange(len(epsilons)), "ε (1/255 of the pixel range)", "accuracy (%)", size=(4.6, 2.8))
    axes = figure.axes[0]
    axes.set_xticks(np.arange(len(epsilons)), [f"{255 * epsilon:.3g}" for epsilon in epsilons])
    axes.set_ylim(-3, 103)
    if chance is not None:
        axes.axhline(100 * chance, color=PALETTE["muted"], linewidth=0.7, linestyle=(0, (1, 2)))
        axes.annotate("chance", (0, 100 * chance), (2, 2), textcoords="offset points", color=PALETTE["muted"])
    return figure


@mpl.rc_context(STYLE)
def confusion_matrix(matrix: ArrayLike, classes: Sequence[str]) -> Figure:
    """Counts of true class by predicted class, shaded by their share of the true class.

    Args:
      matrix: (K, K) counts, rows the truth, columns the prediction.
      classes: a name each.

    Returns:
      A figure; up to 30 classes the counts are written.

    Raises:
      ValueError: shapes that do not fit.

    Example:
      >>> confusion_matrix([[3, 1], [0, 4]], ["cat", "dog"]).axes[0].get_ylabel()
      'true class'
    """
    matrix = np.asarray(matrix)
    count = len(classes)
    if matrix.shape != (count, count):
        raise ValueError(f"a confusion matrix of shape {matrix.shape} for {count} classes: expected ({count}, {count})")
    shares = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    side = float(np.clip(0.34 * count, 3.2, 9))
    figure, axes = _axes((side + 0.9, side + 0.6))
    for row, column in np.argwhere(matrix > 0):
        share = shares[row, column]
        corner = (column - 0.5, row - 0.5)
        axes.add_patch(_cell(corner, share))
        if count <= 30:
            colour = PALETTE["paper" if share > 0.7 else "ink"]
            axes.text(column, row, f"{matrix[row, column]:d}", ha="center", va="center", color=colour)
    step = max(1, math.ceil(count / 30))
    axes.set(xlim=(-0.5, count - 0.5), ylim=(count - 0.5, -0.5), aspect="equal")
    axes.set(xlabel="predicted class", ylabel="true class")
    turn = 90 if max(map(len, classes)) > 3 else 0
    axes.set_xticks(range(0, count, step), classes[::step], rotation=turn)
    axes.set_yticks(range(0, count, step), classes[::step])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(True)
    axes.spines[:].set_color(PALETTE["rule"])
    return figure


def _cell(corner: tuple[float, float], share: float):
    # Opacity, not a ladder of colours: the same cell then reads on a dark page.
    return mpl.patches.Rectangle(corner, 1, 1, facecolor=PALETTE["first"], alpha=0.12 + 0.88 * share, linewidth=0)


def _axes(size: tuple[float, float]) -> tuple[Figure, Axes]:
    figure = Figure(figsize=size, layout="constrained")
    return figure, figure.add_subplot()


@mpl.rc_context(STYLE)
def svg(figure: Figure) -> str:
    """A figure as SVG on a transparent ground, its text kept as text; equal figures give equal strings.

    Example:
      >>> svg(curves({"loss": [2.0, 1.0]})).startswith("<svg")
      True
    """
    stream = io.StringIO()
    figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = stream.getvalue()
    return text[text.index("<svg") :]


@mpl.rc_context(STYLE)
def png(picture: Figure | ArrayLike, dpi: int = 200) -> bytes:
    """A figure at some dots per inch, or one (H, W, C) image in [0, 1] pixel by pixel, as PNG.

    Example:
      >>> png(np.zeros((8, 8, 1)))[1:4]
      b'PNG'
    """
    stream = io.BytesIO()
    if isinstance(picture, Figure):
        picture.savefig(stream, format="png", dpi=dpi, facecolor=PALETTE["paper"], metadata={"Software": None})
    else:
        pixels = np.rint(255 * rgb(np.asarray(picture)[np.newaxis])[0]).astype(np.uint8)
        Image.fromarray(pixels).save(stream, format="png", optimize=True)
    return stream.getvalue()
