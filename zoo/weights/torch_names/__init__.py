"""Module names of PyTorch implementations: one table for each family.

A table maps our module paths to PyTorch's module names. `{s}` stands for a number, and `{s-1}`
on PyTorch's side for that number less one: `"stage{s}/block{b}"` becomes `"layer{s}.{b-1}"`.
Where a name depends on the model's fields, the table is a function of the model. Some families
have tables for further implementations.
"""

import flax.linen as nn

from zoo.weights.torch_names import (
    alexnet,
    convnext,
    deeplab,
    densenet,
    efficientnet,
    fcn,
    googlenet,
    hrnet,
    inception,
    lraspp,
    mnasnet,
    mobilenet_v1,
    mobilenet_v2,
    mobilenet_v3,
    network_in_network,
    preact_resnet,
    regnet,
    resnet,
    shufflenet_v2,
    squeezenet,
    vgg,
    xception,
)
from zoo.weights.torch_names.table import Dialect, Dialects, Name, Nested, Table, Tables

TABLES: Tables = {
    **alexnet.NAMES,
    **convnext.NAMES,
    **deeplab.NAMES,
    **densenet.NAMES,
    **efficientnet.NAMES,
    **fcn.NAMES,
    **googlenet.NAMES,
    **hrnet.NAMES,
    **inception.NAMES,
    **lraspp.NAMES,
    **mnasnet.NAMES,
    **mobilenet_v1.NAMES,
    **mobilenet_v2.NAMES,
    **mobilenet_v3.NAMES,
    **network_in_network.NAMES,
    **preact_resnet.NAMES,
    **regnet.NAMES,
    **resnet.NAMES,
    **shufflenet_v2.NAMES,
    **squeezenet.NAMES,
    **vgg.NAMES,
    **xception.NAMES,
}


OTHERS: Dialects = {**densenet.OTHERS, **efficientnet.OTHERS, **mobilenet_v2.OTHERS}


def dialects(model: nn.Module) -> tuple[Dialect, ...]:
    """The implementations whose names of a model are known; the first one is the default.

    Raises:
      ValueError: no PyTorch implementation is known for it.

    Example:
      >>> import zoo
      >>> [dialect.source for dialect in dialects(zoo.create("efficientnet_b0"))]
      ['default', 'efficientnet_pytorch', 'timm']
    """
    table = TABLES.get(type(model))
    if table is None:
        families = ", ".join(sorted(cls.__name__ for cls in TABLES))
        raise ValueError(f"no PyTorch names are known for {type(model).__name__}: there are tables for {families}")
    others = (dialect for dialect in OTHERS.get(type(model), ()) if _resolved(dialect.table, model))
    return (Dialect("default", table), *others)


def names(model: nn.Module, dialect: Dialect | None = None) -> dict[str, Name]:
    """The table of a model in a dialect, by default the first, with those of the networks inside it.

    Raises:
      ValueError: no PyTorch implementation is known for it.
    """
    dialect = dialect or dialects(model)[0]
    flat: dict[str, Name] = {}
    for ours, theirs in _resolved(dialect.table, model).items():
        if isinstance(theirs, Nested):
            flat |= {f"{ours}/{path}": theirs.hold(name) for path, name in names(getattr(model, ours)).items()}
        else:
            flat[ours] = theirs
    return flat


def _resolved(table, model: nn.Module) -> Table:
    return table(model) if callable(table) else table
