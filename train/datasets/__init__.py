"""Data sets by name: what to type after `--dataset`."""

import importlib
from typing import NamedTuple

from train.datasets.dataset import Dataset, Split
from zoo.catalog import did_you_mean

__all__ = ["SOURCES", "Dataset", "Source", "Split", "largest_default_size", "load"]


class Source(NamedTuple):
    """Where a kind of data set comes from.

    Attributes:
      module: has a function `load`, imported only when asked for.
      form: what a user types.
      argument: whether the name goes on after a colon; `load` then takes that as its first argument.
      largest_default_size: no image is made larger than this, in pixels, unless asked for; None: no limit.
    """

    module: str
    form: str
    argument: bool = False
    largest_default_size: int | None = None


SOURCES = {
    "digits": Source("train.datasets.digits", "digits", largest_default_size=64),
    "scenes": Source("train.datasets.scenes", "scenes", largest_default_size=64),
    "folder": Source("train.datasets.folder", "folder:PATH", argument=True),
    "tfds": Source("train.datasets.tfds", "tfds:NAME", argument=True),
}


def load(name: str, size: int, seed: int = 0) -> Dataset:
    """Load a data set with images of one size.

    Args:
      name: `digits`, `scenes`, `folder:PATH` (one sub-folder a class) or `tfds:NAME`.
      size: height and width in pixels.
      seed: draws what the source draws: the split of a folder, the scenes. The split of the digits is fixed.

    Returns:
      A `Dataset`.

    Raises:
      ValueError: an unknown name, a missing path, or a size that is not positive.

    Example:
      >>> load("digits", size=8).train.images.shape
      (1437, 8, 8, 1)
    """
    source, argument = find(name)
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise ValueError(f"size={size!r}: expected a positive number of pixels")
    positional = (argument,) if source.argument else ()
    return importlib.import_module(source.module).load(*positional, size=size, seed=seed)


def find(name: str) -> tuple[Source, str]:
    """The source a data set's name asks for, and what stands after the colon.

    Raises:
      ValueError: an unknown name, or an argument that is missing or not taken.
    """
    kind, colon, argument = name.partition(":")
    forms = ", ".join(source.form for source in SOURCES.values())
    if kind not in SOURCES:
        raise ValueError(f"unknown dataset {name!r}{did_you_mean(kind, SOURCES)}; there are {forms}")
    source = SOURCES[kind]
    if source.argument != bool(argument) or bool(colon) != bool(argument):
        raise ValueError(f"dataset {name!r}: expected {source.form}")
    return source, argument


def largest_default_size(name: str) -> int | None:
    """The size in pixels above which a data set's images are enlarged only on request; None: no limit."""
    return find(name)[0].largest_default_size
