"""A run's figures over its epochs, drawn."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = {"train": "#9aa5b1", "test": "#1f5fbf"}


def draw(metrics: Sequence[Mapping[str, Any]], title: str) -> "Figure":
    """Loss and accuracy of both splits, side by side.

    Args:
      metrics: one mapping an epoch with `epoch`, and `train` and `test` with `loss` and `accuracy`; at least one.
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
    for axes, name, scale in zip(figure.subplots(1, 2), ("loss", "accuracy"), ("log", "linear"), strict=True):
        for split, colour in COLOURS.items():
            values = [row[split][name] for row in metrics]
            marker = "o" if len(values) == 1 else None
            axes.plot(epochs, values, color=colour, linewidth=2, marker=marker, label=f"{split}  {values[-1]:.4f}")
        axes.set_yscale(scale)
        axes.set_title("cross-entropy" if name == "loss" else name, loc="left", fontsize=10)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(axis="y", color="#e6e9ed", linewidth=0.8)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=9)
    return figure
