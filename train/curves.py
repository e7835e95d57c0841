"""Learning curves: a run's figures over its epochs."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from train.tasks import Column

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = {"train": "#9aa5b1", "test": "#1f5fbf"}


def draw(metrics: Sequence[Mapping[str, Any]], columns: Sequence[Column], title: str) -> "Figure":
    """Draw figures of both splits, side by side.

    Args:
      metrics: one mapping an epoch with `epoch`, and `train` and `test` with the columns; at least one.
      columns: one panel each.
      title: above the panels.

    Returns:
      A figure that belongs to no window, to be saved.

    Raises:
      ValueError: there is no epoch to draw.
    """
    if not metrics:
        raise ValueError("no epochs to draw: train for one first")
    # Imported here so that `import train` stays light.
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(9, 3.6), dpi=150, layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    epochs = [row["epoch"] for row in metrics]
    panels = figure.subplots(1, len(columns), squeeze=False)[0]
    for axes, column in zip(panels, columns, strict=True):
        for split, colour in COLOURS.items():
            values = [row[split][column.name] for row in metrics]
            marker = "o" if len(values) == 1 else None
            axes.plot(epochs, values, color=colour, linewidth=2, marker=marker, label=f"{split}  {values[-1]:.4f}")
        axes.set_yscale(column.scale)
        axes.set_title(column.title, loc="left", fontsize=10)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(axis="y", color="#e6e9ed", linewidth=0.8)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=9)
    return figure
