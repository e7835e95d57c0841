"""The catalogue of models: names, variants and construction."""

import dataclasses
import fnmatch
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

import flax.linen as nn

from convzoo.checks import did_you_mean, is_integer, is_number
from zoo.variant import Variant

# One module of zoo.architectures a family; its VARIANTS are the family's part of the catalogue.
FAMILIES = (
    "alexnet",
    "blueprint",
    "convnext",
    "coordinate_regressor",
    "deeplab",
    "densenet",
    "efficientnet",
    "embedding",
    "fcn",
    "fpn",
    "googlenet",
    "heritage",
    "highway",
    "hrnet",
    "inception",
    "lenet",
    "lraspp",
    "mlp",
    "mnasnet",
    "mobilenet_v1",
    "mobilenet_v2",
    "mobilenet_v3",
    "neocognitron",
    "network_in_network",
    "preact_resnet",
    "regnet",
    "resnet",
    "shufflenet_v1",
    "shufflenet_v2",
    "squeezenet",
    "unet",
    "vgg",
    "xception",
)


def _collect(families: Mapping[str, Mapping[str, Variant]]) -> dict[str, Variant]:
    catalog: dict[str, Variant] = {}
    for family, variants in families.items():
        if repeated := catalog.keys() & variants.keys():
            raise ValueError(f"{family}: {', '.join(sorted(repeated))} is the name of a model of another family")
        catalog.update(variants)
    return catalog


CATALOG = _collect({family: import_module(f"zoo.architectures.{family}").VARIANTS for family in FAMILIES})


def list_models(pattern: str = "*") -> list[str]:
    """List the catalogued names that match a glob, in natural order.

    Args:
      pattern: a shell pattern, such as `"resnet*"`.

    Returns:
      The names; empty where none matches.

    Example:
      >>> list_models("plain*")
      ['plain20', 'plain56']
    """
    return sorted(fnmatch.filter(CATALOG, pattern), key=_natural)


def _natural(name: str) -> list[tuple[bool, int, str]]:
    runs = "".join(c if c.isdigit() else f" {c} " for c in name).split()
    return [(run.isdigit(), int(run) if run.isdigit() else 0, run) for run in runs]


def variant(name: str) -> Variant:
    """Look up the catalogue's entry for a name.

    Raises:
      ValueError: an unknown name; the message holds the nearest known ones.
    """
    if not isinstance(name, str) or name not in CATALOG:
        raise ValueError(f"unknown model {name!r}{did_you_mean(str(name), CATALOG)}; `zoo.list_models()` names all")
    return CATALOG[name]


def _is_rate(value: Any) -> bool:
    return is_number(value, 0, 1, below=True)


def _is_function(value: Any) -> bool:
    return callable(value) and not isinstance(value, type)


# Fields that many models share: whether a value is allowed, and the expectation in words.
FIELDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "num_classes": (
        lambda value: is_integer(value, 0),
        "a non-negative integer; 0 gives features without a head",
    ),
    "act": (lambda value: value is None or _is_function(value), "a function of arrays, such as flax.linen.gelu"),
    "norm": (
        _is_function,
        "an instance such as BatchNorm() or GroupNorm(8), of zoo.layers",
    ),
    "dropout": (_is_rate, "a rate in [0, 1)"),
    "drop_path": (_is_rate, "a rate in [0, 1)"),
}


def _check(field: str, value: Any) -> None:
    allowed, words = FIELDS.get(field, (None, ""))
    if allowed and not allowed(value):
        raise ValueError(f"{field}={value!r}: expected {words}")


def create(name: str, **fields) -> nn.Module:
    """Make a catalogued model, with any of its fields changed.

    Args:
      name: a name from `list_models`.
      **fields: hyperparameters that replace the catalogue's, such as `num_classes=10`,
        `act=nn.gelu` or `norm=GroupNorm(8)`; a `backbone` may be a name of the catalogue.

    Returns:
      A `flax.linen.Module` without variables; `zoo.init` makes those.

    Raises:
      ValueError: an unknown name or field, or a value that cannot be a field of a model.

    Example:
      >>> create("resnet20", num_classes=100).num_classes
      100
    """
    entry = variant(name)
    names = [f.name for f in dataclasses.fields(entry.build) if f.name not in ("parent", "name")]  # type: ignore[arg-type]
    for field, value in fields.items():
        if field not in names:
            raise ValueError(f"{name} has no field {field!r}{did_you_mean(field, names)}; it has {', '.join(names)}")
        try:
            hash(value)
        except TypeError:
            raise ValueError(
                f"{field}={value!r} cannot be hashed, which jit needs: use a tuple or a frozen dataclass"
            ) from None
        _check(field, value)
    fields = {**entry.fields, **fields}
    if isinstance(fields.get("backbone"), str):
        fields["backbone"] = create(fields["backbone"], num_classes=0)
    return entry.build(**fields)


def find(model: nn.Module) -> tuple[str, Variant | None]:
    """Find the catalogue's name and entry for a module: equal in all fields, else of the same class, else none."""
    for name, entry in CATALOG.items():
        if isinstance(model, entry.build) and model == create(name):  # type: ignore[arg-type]
            return name, entry
    kin = [entry for entry in CATALOG.values() if type(model) is entry.build]
    return type(model).__name__, kin[0]._replace(top1=None, note="") if kin else None


def input_shape(model: nn.Module) -> tuple[int, int, int]:
    """(H, W, C) that a module was designed for: the catalogue's for it or its class, else 224×224×3."""
    entry = find(model)[1]
    return entry.input_shape if entry else (224, 224, 3)
