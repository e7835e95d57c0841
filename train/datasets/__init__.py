"""Data sets by name, as typed after `--dataset`."""

import importlib
from typing import Any, NamedTuple

from convzoo.checks import did_you_mean, integer
from train.datasets.dataset import Dataset, Split
from train.datasets.description import Data

__all__ = ["SOURCES", "Data", "Dataset", "Source", "Split", "largest_default_size", "load"]


class Source(NamedTuple):
    """A kind of data set.

    Attributes:
      module: has a function `load`; imported only when needed.
      form: of the name that a user types.
      argument: parameter of `load` that takes the text after a colon; None: there is none.
      optional: whether the colon and the text may be left out.
      largest_default_size: images are not enlarged beyond this, in pixels, by default; None: no limit.
      options: names of further parameters of `load`.
    """

    module: str
    form: str
    argument: str | None = None
    optional: bool = False
    largest_default_size: int | None = None
    options: tuple[str, ...] = ()


SOURCES = {
    "digits": Source("train.datasets.digits", "digits", largest_default_size=64),
    "scenes": Source("train.datasets.scenes", "scenes[:WATERMARK]", "watermark", True, largest_default_size=64),
    "faces": Source("train.datasets.faces", "faces", largest_default_size=64),
    "folder": Source(
        "train.datasets.folder",
        "folder:PATH",
        "path",
        options=("keep_proportions", "validation", "skip_broken", "stream"),
    ),
    "tfds": Source("train.datasets.tfds", "tfds:NAME", "name", options=("keep_proportions", "data_dir", "validation")),
}

MEMORY = {"memory": Source("train.datasets.memory", "memory:NAME", "name")}
"""Recorded by runs on arrays; has nothing to load."""


def load(
    name: str,
    size: int,
    seed: int = 0,
    keep_proportions: bool = False,
    data_dir: str | None = None,
    validation: bool = False,
    skip_broken: bool = False,
    stream: bool = False,
) -> Dataset:
    """Load a data set with images of one size.

    Args:
      name: `digits`, `scenes` (`scenes:class` and `scenes:shuffled` with a watermark), `faces`, `folder:PATH` (one
        sub-folder a class, or `train/` and `test/` or `val/` folders of those, or a `manifest.csv`) or `tfds:NAME`.
      size: height and width in pixels.
      seed: draws the split of a folder, or the scenes or faces. The split of the digits is fixed.
      keep_proportions: for pictures of any size: resize and crop the centre, instead of squeezing.
      data_dir: for `tfds:NAME`: the folder of prepared sets.
      validation: read a source's own images for validation, where it has some beside those for testing.
      skip_broken: for `folder:PATH`: leave out files that cannot be read.
      stream: for `folder:PATH`: keep no images in memory.

    Returns:
      A `Dataset`.

    Raises:
      ValueError: an unknown name, a missing path, a size that is not positive, or an option of another source.

    Example:
      >>> load("digits", size=8).train.images.shape
      (1437, 8, 8, 1)
    """
    source, argument = find(name)
    integer("size", size)
    options: dict[str, Any] = {"keep_proportions": keep_proportions, "data_dir": data_dir}
    options |= {"skip_broken": skip_broken, "stream": stream}
    options = {option: value for option, value in options.items() if value}
    for option, value in options.items():
        if option not in source.options:
            forms = " and ".join(other.form for other in SOURCES.values() if option in other.options)
            raise ValueError(f"{option}={value!r}: dataset {name!r} has no such option, only {forms}")
    if validation and "validation" in source.options:
        options["validation"] = True
    if source.argument and argument:
        options[source.argument] = argument
    return importlib.import_module(source.module).load(size=size, seed=seed, **options)


def find(name: str) -> tuple[Source, str]:
    """The source of a data set by its name, and the text after the colon.

    Raises:
      ValueError: an unknown name, or an argument that is missing or not taken.
    """
    kind, colon, argument = name.partition(":")
    forms = ", ".join(source.form for source in SOURCES.values())
    sources = SOURCES | MEMORY
    if kind not in sources:
        raise ValueError(f"unknown dataset {name!r}{did_you_mean(kind, SOURCES)}; there are {forms}")
    source = sources[kind]
    fits = source.argument and argument if colon else source.optional or not source.argument
    if not fits:
        raise ValueError(f"dataset {name!r}: expected {source.form}")
    return source, argument


def largest_default_size(name: str) -> int | None:
    """The size in pixels above which a data set's images are enlarged only on request; None: no limit."""
    return find(name)[0].largest_default_size
