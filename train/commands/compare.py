"""Compare runs: one plot of their test figures, one table, and the differences of their configurations."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from convzoo import plots
from train.commands.listing import Entry, read, table, written

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST = len(plots.SERIES)
"""Lines of a plot that can be told apart."""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help=f"run directories, 2 to {MOST}")
    parser.add_argument("--out", type=Path, default=Path("runs/comparison.png"), help="default: runs/comparison.png")


def answer(options: argparse.Namespace) -> str:
    """Write the plot, and return the tables and its path."""
    if not 2 <= len(options.runs) <= MOST:
        raise ValueError(f"{len(options.runs)} run(s): expected 2 to {MOST}, whose lines can be told apart")
    entries = [read(path) for path in options.runs]
    if len(tasks := {entry.config.task for entry in entries}) > 1:
        raise ValueError(f"runs of tasks {' and '.join(sorted(tasks))}: expected one task, which has the same figures")
    for entry in entries:
        if not entry.rows:
            raise ValueError(f"{entry.path} has no finished epoch: train for one first")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    draw(entries).savefig(options.out)
    return "\n\n".join([_figures(entries), _differences(entries), str(options.out)])


def draw(entries: Sequence[Entry]) -> "Figure":
    """Draw the test figures of runs of one task over their epochs, a panel for each figure.

    Args:
      entries: at most `MOST`, each with an epoch.

    Returns:
      A figure that belongs to no window, to be saved.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    columns = entries[0].columns
    with mpl.rc_context(plots.STYLE):
        figure = Figure(figsize=(4.5 * len(columns), 3.6), dpi=150, layout="constrained")
        panels = figure.subplots(1, len(columns), squeeze=False)[0]
        for axes, column in zip(panels, columns, strict=True):
            factor = 100 if column.format.endswith("%") else 1
            for entry, (colour, dash, marker) in zip(entries, plots.SERIES, strict=False):
                epochs = np.array([row["epoch"] for row in entry.rows])
                values = factor * np.array([row["test"][column.name] for row in entry.rows])
                every = max(1, len(epochs) // 10)
                label = f"{entry.path}  {written(entry.best(column), column)}"
                axes.plot(
                    epochs, values, dash, color=plots.PALETTE[colour], marker=marker, markevery=every, label=label
                )
            axes.grid(axis="y", color=plots.PALETTE["rule"], linewidth=0.5)
            axes.set(xlabel="epoch", ylabel=f"test: {column.title}{' (%)' if factor > 1 else ''}")
            axes.legend(title="best epoch")
            if column.scale == "log":
                plots.logarithmic(axes)
    return figure


def _figures(entries: Sequence[Entry]) -> str:
    """The last and the best test figures of each run."""
    columns = entries[0].columns
    header = ["run", "epochs", *(f"{which} {column.name}" for column in columns for which in ("last", "best"))]
    rows = [
        [
            str(entry.path),
            f"{len(entry.rows)}/{entry.config.epochs}",
            *(written(row, column) for column in columns for row in (entry.rows[-1], entry.best(column))),
        ]
        for entry in entries
    ]
    return table(header, rows)


def _differences(entries: Sequence[Entry]) -> str:
    """The settings that are not the same in all runs, those that follow from others included."""
    settings = [entry.config.resolve().to_json() for entry in entries]
    rows = []
    for name in settings[0]:
        values = [json.dumps(one[name], sort_keys=True).strip('"') for one in settings]
        if len(set(values)) > 1:
            rows.append([name, *values])
    if not rows:
        return "the configurations are the same"
    return table(["setting", *(str(entry.path) for entry in entries)], rows)
