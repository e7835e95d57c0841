"""Cross-validation: a run for each fold, and one table with mean and standard deviation."""

import dataclasses
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from convzoo import checks, files
from train import loop
from train.config import Config

TABLE = "folds.csv"

Observer = Callable[[Mapping[str, Any]], None]
"""Called with the row of each epoch."""


class Folds(NamedTuple):
    """The results of a cross-validation; printed, they are a table.

    Attributes:
      out: the folder of the runs `fold-1`, `fold-2`, ….
      figures: the test figures of each fold.
    """

    out: Path
    figures: tuple[dict[str, float], ...]

    @property
    def mean(self) -> dict[str, float]:
        """The mean of each figure over the folds."""
        return {name: statistics.fmean(values) for name, values in self._columns.items()}

    @property
    def deviation(self) -> dict[str, float]:
        """The sample standard deviation of each figure, with K - 1 in its denominator."""
        return {name: _deviation(values) for name, values in self._columns.items()}

    @property
    def _columns(self) -> dict[str, list[float]]:
        return {name: [fold[name] for fold in self.figures] for name in self.figures[0]}

    def rows(self) -> dict[str, Mapping[str, float]]:
        """The figures by the name of their row."""
        folds = {f"fold {number}": figures for number, figures in enumerate(self.figures, start=1)}
        return {**folds, "mean": self.mean, "sd": self.deviation}

    def __str__(self) -> str:
        names = [*self.figures[0]]
        lines = [" " * 8 + "".join(f"{name:>11}" for name in names)]
        lines += [
            f"{row:<8}" + "".join(f"{values[name]:>11.4f}" for name in names) for row, values in self.rows().items()
        ]
        listed = ", ".join(f"{name} {self.mean[name]:.4f} ± {self.deviation[name]:.4f}" for name in names[:2])
        return "\n".join([*lines, f"{listed}, each fold tested once", f"run directories: {self.out}/fold-*"])


def run(config: Config, folds: int, quiet: bool = False, observe: Callable[[Path], Observer] | None = None) -> Folds:
    """Train and test every fold of the training images; the same call resumes where an earlier one stopped.

    Args:
      config: of all runs, but for `fold` and `out`, whose sub-folders `fold-1`, … are the run directories.
      folds: K, at least 2.
      quiet: show nothing on stderr.
      observe: from a run directory to the `after_epoch` of `train.run`.

    Returns:
      The test figures, also written to `folds.csv`.

    Raises:
      ValueError: as in `train.run`, a configuration of a single fold, or a directory that holds a run.
    """
    checks.integer("folds", folds, 2)
    if config.fold is not None:
        raise ValueError(f"fold={config.fold!r}: expected one of fold, which trains a single one, and folds={folds}")
    out = Path(str(config.resolve().out))
    if (out / "config.json").exists():
        raise ValueError(f"--out {out} holds a run: expected a folder for {folds} runs, give another --out")
    figures = []
    for number in range(1, folds + 1):
        part = dataclasses.replace(config, fold=f"{number}/{folds}", out=str(out / f"fold-{number}"))
        figures.append(loop.run(part, quiet, after_epoch=observe and observe(Path(str(part.out)))).test)
    result = Folds(out, tuple(figures))
    files.write(out / TABLE, _csv(result.rows()))
    return result


def _deviation(values: Sequence[float]) -> float:
    return math.nan if any(map(math.isnan, values)) else statistics.stdev(values)


def _csv(rows: Mapping[str, Mapping[str, Any]]) -> str:
    names = [*next(iter(rows.values()))]
    lines = [",".join(["fold", *names])]
    lines += [",".join([row, *(str(values[name]) for name in names)]) for row, values in rows.items()]
    return "\n".join(lines) + "\n"
