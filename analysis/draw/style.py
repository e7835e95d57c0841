"""The style of all pictures: colours, dashes, markers, sizes."""

from typing import Any

import numpy as np

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
