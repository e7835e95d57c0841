"""Learning curves: a run's figures over its epochs."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from convzoo import plots
from train.tasks import Column

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SPLITS = ("train", "validation", "test")
UNKNOWN = 1000
"""Examples of a split whose size is not told: its percentages get one decimal."""


def draw(
    metrics: Sequence[Mapping[str, Any]],
    columns: Sequence[Column],
    title: str,
    counts: Mapping[str, int] | None = None,
) -> "Figure":
    """Draw figures of all splits, side by side, in the colours and numbers of a report.

    Args:
      metrics: one mapping an epoch with `epoch`, and of `SPLITS` those there are, with the columns; at least one.
      columns: one panel each.
      title: above the panels.
      counts: examples of each split, from which its percentages have their digits; None: unknown.

    Returns:
      A figure that belongs to no window, to be saved.

    Raises:
      ValueError: there is no epoch to draw.
    """
    if not metrics:
        raise ValueError("no epochs to draw: train for one first")
    # Imported here so that `import train` stays light.
    import matplotlib as mpl
    from matplotlib.figure import Figure

    splits = [split for split in SPLITS if split in metrics[0]]
    counts = dict.fromkeys(splits, UNKNOWN) | dict(counts or {})
    epochs = np.array([row["epoch"] for row in metrics])
    with mpl.rc_context(plots.STYLE):
        figure = Figure(figsize=(9, 3.6), dpi=150, layout="constrained")
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
        panels = figure.subplots(1, len(columns), squeeze=False)[0]
        for axes, column in zip(panels, columns, strict=True):
            shares = column.format.endswith("%")
            values = {split: np.array([row[split][column.name] for row in metrics]) for split in splits}
            lines = {
                f"{split}  {_written(series[-1], counts[split], shares)}": 100 * series if shares else series
                for split, series in values.items()
            }
            plots.lines(axes, epochs, lines)
            axes.set(xlabel="epoch", ylabel=f"{column.title} (%)" if shares else column.title)
            if column.scale == "log":
                plots.logarithmic(axes)
    return figure


def _written(value: float, count: int, share: bool) -> str:
    return f"{plots.in_percent(value, count)} %" if share else f"{value:.4f}"
