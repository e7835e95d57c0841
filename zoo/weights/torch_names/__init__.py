"""Module names of PyTorch implementations: one table for each family.

A table maps our module paths to PyTorch's module names. `{s}` stands for a number, and `{s-1}`
on PyTorch's side for that number less one: `"stage{s}/block{b}"` becomes `"layer{s}.{b-1}"`.
Where a name depends on the model's fields, the table is a function of the model.
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
from zoo.weights.torch_names.table import Name, Nested, Tables

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


def names(model: nn.Module) -> dict[str, Name]:
    """The table of a model's family, with those of the networks inside it.

    Raises:
      ValueError: no PyTorch implementation is known for it.
    """
    table = TABLES.get(type(model))
    if table is None:
        families = ", ".join(sorted(cls.__name__ for cls in TABLES))
        raise ValueError(f"no PyTorch names are known for {type(model).__name__}: there are tables for {families}")
    flat: dict[str, Name] = {}
    for ours, theirs in (table(model) if callable(table) else table).items():
        if isinstance(theirs, Nested):
            flat |= {f"{ours}/{path}": theirs.hold(name) for path, name in names(getattr(model, ours)).items()}
        else:
            flat[ours] = theirs
    return flat
