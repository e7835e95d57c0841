"""Plots: the colours, dashes, markers and numbers that the charts of all packages share."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:  # matplotlib is slow to import
    from matplotlib.axes import Axes

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
"""Colours by role; those of series are Okabe and Ito's, which the colour-blind tell apart."""
SERIES = (("first", "-", "o"), ("second", "--", "s"), ("third", ":", "^"), ("fourth", "-.", "D"))
"""Colour, dash and marker of each line of a chart."""
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
"""Settings of Matplotlib, for `matplotlib.rc_context`."""
LABELS = 2
"""Labels that a logarithmic axis has at least."""


def title(model: str, dataset: str) -> str:
    """The name of a trained model in a heading; of a data set in a folder only the folder's name.

    Example:
      >>> title("resnet18", "folder:/home/me/flowers"), title("lenet", "digits")
      ('resnet18 on flowers', 'lenet on digits')
    """
    kind, _, path = dataset.partition(":")
    return f"{model} on {Path(path).name if kind == 'folder' else dataset}"


def in_percent(share: float, count: int) -> str:
    """A share of `count` cases in percent, without the sign, with as many digits as that many cases carry.

    Args:
      share: in [0, 1].
      count: cases, at least 1.

    Example:
      >>> in_percent(0.87, 20), in_percent(0.87, 360), in_percent(0.87, 10_000)
      ('87', '87.0', '87.00')
    """
    return f"{100 * share:.{max(0, math.ceil(math.log10(count)) - 2)}f}"


def lines(axes: "Axes", x: np.ndarray, series: Mapping[str, Any]) -> None:
    """Draw lines over a common axis, told apart by colour, dash and marker, with a legend.

    Args:
      axes: of Matplotlib, empty.
      x: (N,) where the values lie; integers get integer labels.
      series: (N,) values of each line, by name; at most as many as `SERIES`.
    """
    from matplotlib.ticker import MaxNLocator

    for (name, values), (colour, dash, marker) in zip(series.items(), SERIES, strict=False):
        every = max(1, len(x) // 10)
        axes.plot(x, values, dash, color=PALETTE[colour], marker=marker, markevery=every, label=name)
    if np.issubdtype(x.dtype, np.integer):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(axis="y", color=PALETTE["rule"], linewidth=0.5)
    axes.set_axisbelow(True)
    axes.legend()


def logarithmic(axes: "Axes") -> None:
    """Make the vertical axis logarithmic, with at least two labels, written as plain numbers.

    Args:
      axes: of Matplotlib, with its lines drawn.
    """
    from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

    axes.set_yscale("log")
    low, high = axes.get_ylim()
    locators = (LogLocator(subs=(1, 2, 5)), MaxNLocator(4), MaxNLocator(8))
    labels = [sum(low <= place <= high for place in np.asarray(one.tick_values(low, high))) for one in locators]
    enough = [one for one, count in zip(locators, labels, strict=True) if count >= LABELS]
    axes.yaxis.set_major_locator(enough[0] if enough else locators[-1])
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_locator(NullLocator())
