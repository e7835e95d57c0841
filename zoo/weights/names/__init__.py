"""How PyTorch implementations name what our modules hold: one table a family.

A table maps our module paths to PyTorch's module names. `{s}` stands for a number, and `{s-1}`
on PyTorch's side for that number less one: `"stage{s}/block{b}"` becomes `"layer{s}.{b-1}"`.
Where a name depends on the model's fields, the table is a function of the model.
"""

import flax.linen as nn
from zoo.weights.names.table import Table, Tables

from zoo.weights.names import (
    alexnet,
    densenet,
    googlenet,
    inception,
    mobilenet_v2,
    network_in_network,
    resnet,
    squeezenet,
    vgg,
    xception,
)

TABLES: Tables = {
    **alexnet.NAMES,
    **densenet.NAMES,
    **googlenet.NAMES,
    **inception.NAMES,
    **mobilenet_v2.NAMES,
    **network_in_network.NAMES,
    **resnet.NAMES,
    **squeezenet.NAMES,
    **vgg.NAMES,
    **xception.NAMES,
}


def names(model: nn.Module) -> Table:
    """The table of a model's family.

    Raises:
      ValueError: no PyTorch implementation is known for it.
    """
    table = TABLES.get(type(model))
    if table is None:
        known = ", ".join(sorted(cls.__name__ for cls in TABLES))
        raise ValueError(f"no PyTorch names are known for {type(model).__name__}: there are tables for {known}")
    return table(model) if callable(table) else table
