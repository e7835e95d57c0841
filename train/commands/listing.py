"""List all runs below a folder: model, data, epochs and best figures."""

import argparse
import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from train import run_directory
from train.config import Config
from train.tasks import TASKS, Column


class Entry(NamedTuple):
    """A run in a list.

    Attributes:
      path: of the run directory.
      config: of the run.
      rows: one an epoch, as in `metrics.jsonl`.
    """

    path: Path
    config: Config
    rows: list[dict[str, Any]]

    @property
    def columns(self) -> tuple[Column, ...]:
        """The task's figures, the loss first."""
        return TASKS[self.config.task].columns

    def best(self, column: Column, split: str = "test") -> dict[str, Any] | None:
        """The row of the best epoch by a figure: the largest share, or the smallest of others; None: no epoch yet."""
        sign = -1 if column.format.endswith("%") else 1
        return min(self.rows, key=lambda row: sign * row[split][column.name], default=None)


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("folder", nargs="?", type=Path, default=Path("runs"), help="default: runs")
    parser.add_argument("--csv", action="store_true", help="comma-separated, with all digits")


def answer(options: argparse.Namespace) -> str:
    """The table of all runs."""
    if not options.folder.is_dir():
        raise ValueError(f"{options.folder}: no such folder")
    entries, unreadable = [], []
    for file in sorted(options.folder.rglob("config.json")):
        try:
            entries.append(read(file.parent))
        except ValueError as error:
            unreadable.append(f"not listed: {error}")
    if not entries:
        raise ValueError("; ".join([f"{options.folder} holds no run", *unreadable]))
    header = ("run", "model", "dataset", "task", "epochs", "loss", "figure", "best", "at epoch")
    rows = [_row(entry, options.folder, exact=options.csv) for entry in entries]
    if options.csv:
        file = io.StringIO()
        csv.writer(file, lineterminator="\n").writerows([header, *rows])
        return file.getvalue().rstrip("\n")
    return "\n".join([table(header, rows), *unreadable])


def read(path: Path) -> Entry:
    """A run directory without its checkpoints.

    Raises:
      ValueError: there is no run, or it cannot be read.
    """
    return Entry(path, run_directory.read_config(path)[0], run_directory.read_rows(path, run_directory.METRICS))


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lines of text with aligned columns.

    Example:
      >>> print(table(("run", "epochs"), [("lenet5", "20")]))
      run     epochs
      lenet5  20
    """
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = [[entry.ljust(width) for entry, width in zip(row, widths, strict=True)] for row in (header, *rows)]
    return "\n".join("  ".join(line).rstrip() for line in lines)


def written(row: Mapping[str, Any] | None, column: Column, exact: bool = False, split: str = "test") -> str:
    """A figure of an epoch as text; a dash where there is none."""
    if row is None:
        return "" if exact else "–"
    return f"{row[split][column.name]:{'' if exact else column.format}}"


def _row(entry: Entry, folder: Path, exact: bool) -> list[str]:
    """The lowest test loss, and the best epoch by the last of the task's columns."""
    loss, *others = entry.columns
    column = others[-1] if others else loss
    best = entry.best(column)
    return [
        str(entry.path.relative_to(folder)),
        entry.config.model,
        entry.config.dataset_name,
        entry.config.task,
        f"{len(entry.rows)}/{entry.config.epochs}",
        written(entry.best(loss), loss, exact),
        column.name,
        written(best, column, exact),
        "–" if best is None else str(best["epoch"]),
    ]
