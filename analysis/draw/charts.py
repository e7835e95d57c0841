"""Figures of numbers: curves, robustness, confusion."""

import math
from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from analysis.draw.style import PALETTE, SERIES, STYLE
from convzoo import plots


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
    plots.lines(axes, x, series)
    axes.set(xlabel=xlabel, ylabel=ylabel)
    if logarithmic:
        plots.logarithmic(axes)
    return figure


@mpl.rc_context(STYLE)
def robustness(
    epsilons: ArrayLike,
    accuracies: Mapping[str, ArrayLike],
    chance: float | None = None,
    unit: float = 1 / 255,
    band: tuple[ArrayLike, ArrayLike] | None = None,
) -> Figure:
    """Accuracy under attack over the size of the perturbation.

    Args:
      epsilons: bounds on the change, for pixels in [0, 1], ascending from 0.
      accuracies: name of each attack and its accuracy at each bound, in [0, 1].
      chance: accuracy of guessing; None: not drawn.
      unit: of the horizontal axis, 1/255 or 1.
      band: lower and upper ends of an interval of the last attack's accuracy at each bound, shaded; None: none.

    Returns:
      A figure; the horizontal axis is logarithmic, and 0 stands apart from it.

    Example:
      >>> robustness([0, 1 / 255], {"FGSM": [0.9, 0.5]}).axes[0].get_ylabel()
      'accuracy (%)'
    """
    epsilons = np.asarray(epsilons, np.float64)
    places = np.log2(epsilons[1:] / unit)
    zero = places[0] - max(1.5, 0.2 * np.ptp(places))
    # A point without a value interrupts the lines between 0 and the logarithmic axis.
    x = np.array([zero, np.nan, *places])
    percent = {name: np.insert(100 * np.asarray(values, np.float64), 1, np.nan) for name, values in accuracies.items()}
    name = "ε" if unit == 1 else f"ε (1/{1 / unit:.0f} of the pixel range)"
    figure = curves(percent, x, name, "accuracy (%)", size=(4.6, 2.8))
    axes = figure.axes[0]
    axes.set_xticks([zero, *places], [f"{epsilon / unit:.3g}" for epsilon in epsilons])
    axes.set_ylim(-3, 103)
    if band is not None:
        low, high = (np.insert(100 * np.asarray(end, np.float64), 1, np.nan) for end in band)
        colour = PALETTE[SERIES[len(accuracies) - 1][0]]
        axes.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)
    if chance is not None:
        axes.axhline(100 * chance, color=PALETTE["muted"], linewidth=0.7, linestyle=(0, (1, 2)))
        axes.annotate("chance", (zero, 100 * chance), (2, 2), textcoords="offset points", color=PALETTE["muted"])
    return figure


@mpl.rc_context(STYLE)
def histogram(values: ArrayLike, xlabel: str, ylabel: str = "images", size: tuple[float, float] = (4.6, 2.2)) -> Figure:
    """Counts of values in bins of equal width from 0, and a line at their median.

    Args:
      values: (N,) not negative, at least one.
      xlabel, ylabel: quantity of the axes.
      size: width and height in inches.

    Returns:
      A figure.

    Raises:
      ValueError: no values, or values that are negative or not finite.

    Example:
      >>> len(histogram([0.5, 1.5, 1.75], "distance").axes[0].patches)
      5
    """
    values = np.asarray(values, np.float64)
    if values.ndim != 1 or not values.size or not (np.isfinite(values).all() and (values >= 0).all()):
        raise ValueError(f"values={values}: expected one or more finite numbers that are not negative")
    figure, axes = _axes(size)
    bins = int(np.clip(2 * math.sqrt(values.size), 5, 40))
    top = float(values.max()) or 1.0
    axes.hist(values, bins=bins, range=(0, top), color=PALETTE["first"], rwidth=0.92)
    axes.axvline(float(np.median(values)), color=PALETTE["second"], linestyle="--", linewidth=1.2)
    axes.yaxis.set_major_locator(mpl.ticker.MaxNLocator(integer=True, nbins=5))
    axes.grid(axis="y", color=PALETTE["rule"], linewidth=0.5)
    axes.set_axisbelow(True)
    axes.set(xlabel=xlabel, ylabel=ylabel, xlim=(0, 1.02 * top))
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
