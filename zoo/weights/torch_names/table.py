"""Entries of a table of PyTorch names."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import flax.linen as nn


class Flattened(NamedTuple):
    """A dense layer after flattened features: PyTorch flattens (channels, height, width), we (height, width, channels).

    Attributes:
      name: PyTorch's module name.
      height, width: of the features that are flattened.
    """

    name: str
    height: int
    width: int


class Pointwise(NamedTuple):
    """Weights that PyTorch gives two spatial axes of one: a dense layer as a 1×1 convolution, or a number per channel.

    Attributes:
      name: PyTorch's module name.
    """

    name: str


Name = str | Flattened | Pointwise


class Nested(NamedTuple):
    """A network inside the network, whose family has a table of its own.

    Attributes:
      name: PyTorch's module name of it.
      without: what its own names begin with and leave out here.
    """

    name: str
    without: str = ""

    def hold(self, theirs: Name) -> Name:
        """PyTorch's name of something in it, seen from outside."""
        if isinstance(theirs, str):
            return f"{self.name}.{theirs.removeprefix(self.without)}"
        return theirs._replace(name=f"{self.name}.{theirs.name.removeprefix(self.without)}")


Table = Mapping[str, Name | Nested]
Tables = Mapping[type[nn.Module], Table | Callable[[Any], Table]]


class Dialect(NamedTuple):
    """The names of a family in another implementation than the first.

    Attributes:
      source: the implementation, as users call it.
      table: of names, or a function of the model; an empty table: it has no such model.
      fields: what its weights expect of our model, as far as that differs from the catalogue.
    """

    source: str
    table: Table | Callable[[Any], Table]
    fields: Mapping[str, Any] = {}


Dialects = Mapping[type[nn.Module], tuple[Dialect, ...]]


def sequence(ours: str, theirs: str, units: Iterable[str]) -> dict[str, str]:
    """The entries of units in a row, numbered from 0 by PyTorch: convolutions with their normalizations, or attention.

    Args:
      ours: path of the module that holds the units, with its final slash; empty for the model.
      theirs: PyTorch's name of the sequence.
      units: our names of the units.

    Example:
      >>> sequence("block1/", "features.1", ["expand"])
      {'block1/expand/conv': 'features.1.0.0', 'block1/expand/norm': 'features.1.0.1'}
    """
    table = {}
    for position, unit in enumerate(units):
        if unit == "attention":
            table[f"{ours}{unit}/fc{{n}}"] = f"{theirs}.{position}.fc{{n}}"
        else:
            table[f"{ours}{unit}/conv"] = f"{theirs}.{position}.0"
            table[f"{ours}{unit}/norm"] = f"{theirs}.{position}.1"
    return table


def conv_norm(ours: str, theirs: str) -> dict[str, str]:
    """The entries of a convolution with its normalization, which PyTorch calls `conv` and `bn`.

    Example:
      >>> conv_norm("stem", "conv1")
      {'stem/conv': 'conv1.conv', 'stem/norm': 'conv1.bn'}
    """
    return {f"{ours}/conv": f"{theirs}.conv", f"{ours}/norm": f"{theirs}.bn"}
