"""Figures of a run for TensorBoard, by tensorboardX or PyTorch's writer, whichever is installed."""

import functools
import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

FOLDER = "tensorboard"
WRITERS = ("tensorboardX", "torch.utils.tensorboard")
"""Modules with a class `SummaryWriter`, the preferred first; neither is a dependency."""


def writer_class() -> Any:
    """The class that writes.

    Raises:
      ValueError: none is installed.
    """
    for module in WRITERS:
        try:
            return importlib.import_module(module).SummaryWriter
        except ImportError:
            continue
    raise ValueError("--tensorboard needs a writer, and none is installed: `pip install tensorboardX`")


def writer(out: Path) -> Callable[[Mapping[str, Any]], None]:
    """A function that writes the figures of an epoch, a row of `metrics.jsonl`, below a run directory.

    Raises:
      ValueError: no writer is installed.
    """
    create = writer_class()
    # Made for the first epoch: a run that is refused leaves nothing.
    opened = functools.cache(lambda: create(str(out / FOLDER)))

    def write(row: Mapping[str, Any]) -> None:
        for split, figures in row.items():
            for name, value in figures.items() if isinstance(figures, Mapping) else ():
                opened().add_scalar(f"{name}/{split}", value, row["epoch"])
        opened().flush()

    return write
