"""What a table of names is made of."""

from collections.abc import Callable, Mapping
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


Table = Mapping[str, str | Flattened]
Tables = Mapping[type[nn.Module], Table | Callable[[Any], Table]]


def conv_norm(ours: str, theirs: str) -> dict[str, str]:
    """The entries of a convolution with its normalization, which PyTorch calls `conv` and `bn`.

    Example:
      >>> conv_norm("stem", "conv1")
      {'stem/conv': 'conv1.conv', 'stem/norm': 'conv1.bn'}
    """
    return {f"{ours}/conv": f"{theirs}.conv", f"{ours}/norm": f"{theirs}.bn"}
