"""Data sets by name: what to type after `--dataset`."""

import importlib
from typing import NamedTuple

from convzoo.checks import did_you_mean
from train.datasets.dataset import Dataset, Split

__all__ = ["SOURCES", "Dataset", "Source", "Split", "largest_default_size", "load"]


class Source(NamedTuple):
    """Where a kind of data set comes from.

    Attributes:
      module: has a function `load`, imported only when asked for.
      form: what a user types.
      argument: what `load` calls that which stands after a colon; None: nothing does.
      optional: whether the colon and what follows may be left out.
      largest_default_size: no image is made larger than this, in pixels, unless asked for; None: no limit.
    """

    module: str
    form: str
    argument: str | None = None
    optional: bool = False
    largest_default_size: int | None = None


SOURCES = {
    "digits": Source("train.datasets.digits", "digits", largest_default_size=64),
    "scenes": Source("train.datasets.scenes", "scenes[:WATERMARK]", "watermark", True, largest_default_size=64),
    "folder": Source("train.datasets.folder", "folder:PATH", "path"),
    "tfds": Source("train.datasets.tfds", "tfds:NAME", "name"),
}


def load(name: str, size: int, seed: int = 0) -> Dataset:
    """Load a data set with images of one size.

    Args:
      name: `digits`, `scenes` (`scenes:class` and `scenes:shuffled` with a watermark), `folder:PATH` (one
        sub-folder a class) or `tfds:NAME`.
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
    named = {source.argument: argument} if source.argument and argument else {}
    return importlib.import_module(source.module).load(size=size, seed=seed, **named)


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
    fits = source.argument and argument if colon else source.optional or not source.argument
    if not fits:
        raise ValueError(f"dataset {name!r}: expected {source.form}")
    return source, argument


def largest_default_size(name: str) -> int | None:
    """The size in pixels above which a data set's images are enlarged only on request; None: no limit."""
    return find(name)[0].largest_default_size
