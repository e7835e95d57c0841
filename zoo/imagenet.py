"""Names of the 1,000 classes of ImageNet (ILSVRC 2012), in the order of every classifier trained on it.

They are in `imagenet_classes.txt`, one class a line, which says where they come from and under which licences.
Reference: Russakovsky et al., 2014, arXiv:1409.0575.
"""

import functools
from pathlib import Path

import flax.linen as nn

from zoo import catalog

FILE = Path(__file__).with_name("imagenet_classes.txt")
CLASSES = 1000


@functools.cache
def synonyms() -> tuple[tuple[str, ...], ...]:
    """Names of each class, the one to show first; several classes may share one of the others.

    Example:
      >>> synonyms()[285]
      ('Egyptian cat',)
    """
    lines = FILE.read_text(encoding="utf-8").splitlines()
    return tuple(tuple(line.split(", ")) for line in lines if line and not line.startswith("#"))


@functools.cache
def numbers() -> dict[str, tuple[int, ...]]:
    """Numbers of the classes that share a name, by that name in lower case.

    Example:
      >>> numbers()["tabby cat"], numbers()["crane"]
      ((281,), (134, 517))
    """
    shared: dict[str, tuple[int, ...]] = {}
    for number, names in enumerate(synonyms()):
        for name in names:
            shared[name.casefold()] = (*shared.get(name.casefold(), ()), number)
    return shared


def class_names(model: str | nn.Module) -> tuple[str, ...]:
    """Names of a model's classes: ImageNet's, if it has 1,000 of them.

    What a model was trained on is not stored in it: every classifier of 1,000 classes is taken for one of ImageNet.

    Args:
      model: a catalogued name, or a module.

    Returns:
      A different name for each class, or () for a model of other classes.

    Raises:
      ValueError: an unknown name.

    Example:
      >>> class_names("efficientnet_lite0")[967], class_names("lenet5")
      ('espresso', ())
    """
    model = catalog.create(model) if isinstance(model, str) else model
    if getattr(model, "num_classes", None) != CLASSES:
        return ()
    return tuple(first for first, *_ in synonyms())
