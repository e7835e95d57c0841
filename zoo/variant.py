"""Entries of the catalogue, as plain data."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import flax.linen as nn


class Paper(NamedTuple):
    """The publication that describes a model.

    Attributes:
      title: of the paper.
      year: of its first publication.
      source: arXiv number, DOI or venue.
    """

    title: str
    year: int
    source: str

    def __str__(self) -> str:
        return f"{self.title} ({self.year}), {self.source}"


class Variant(NamedTuple):
    """One catalogued model.

    Attributes:
      build: the module class.
      fields: its hyperparameters, as far as they differ from the class's defaults.
      paper: the publication that describes it.
      input_shape: (H, W, C) it was designed for.
      top1: published accuracy in percent, on the data set of its input: ImageNet at 224² and
        above, CIFAR-10 at 32²; None where none was published.
      note: which of several published forms this is.
    """

    build: Callable[..., nn.Module]
    fields: Mapping[str, Any]
    paper: Paper
    input_shape: tuple[int, int, int] = (224, 224, 3)
    top1: float | None = None
    note: str = ""
