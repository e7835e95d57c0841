"""Models as data: every field of a module as JSON, and back, without ever running what the file says.

Decoding looks names up in tables of what this package defines; it imports nothing and calls nothing
but the constructors of modules, normalizations and other plain records.
"""

import dataclasses
import functools
import importlib
import inspect
import pkgutil
from typing import Any

import flax.linen as nn
import jax.numpy as jnp

import zoo.architectures
import zoo.layers
from zoo.catalog import did_you_mean
from zoo.preprocess import Preprocess

# Those of flax.linen.
ACTIVATIONS = (
    *("celu", "elu", "gelu", "hard_sigmoid", "hard_swish", "hard_tanh", "leaky_relu", "log_sigmoid"),
    *("relu", "relu6", "selu", "sigmoid", "silu", "soft_sign", "softplus", "tanh"),
)


def encode(value: Any) -> Any:
    """A field's value, or a whole module, as JSON.

    Args:
      value: a number, text, tuple, type of numbers, module, frozen dataclass, named tuple, class or function
        of this package, or one of Flax's activations.

    Returns:
      Numbers, text, lists and {"kind": …} dictionaries.

    Raises:
      ValueError: anything else, such as a lambda or a `functools.partial`, of which equal ones differ.

    Example:
      >>> encode((1, nn.relu))
      [1, {'kind': 'function', 'name': 'relu'}]
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    known = {id(entry): name for name, entry in _known().items()}
    if id(value) in known:
        return {"kind": "class" if inspect.isclass(value) else "function", "name": known[id(value)]}
    if id(type(value)) in known:
        return {
            "kind": "record",
            "name": known[id(type(value))],
            "fields": {name: encode(getattr(value, name)) for name in _fields(type(value))},
        }
    if isinstance(value, tuple | list):
        return [encode(entry) for entry in value]
    try:
        return {"kind": "dtype", "name": jnp.dtype(value).name}
    except TypeError:
        raise ValueError(
            f"{value!r} cannot be written to a file: use a value, class or function that zoo defines, "
            f"or one of flax.linen's activations ({', '.join(ACTIVATIONS)})"
        ) from None


def decode(data: Any) -> Any:
    """What `encode` was given; lists become tuples.

    Raises:
      ValueError: a name that this package does not define, or fields that the thing named does not take.

    Example:
      >>> decode([1, {"kind": "function", "name": "relu"}])[1] is nn.relu
      True
    """
    if isinstance(data, list):
        return tuple(decode(entry) for entry in data)
    if not isinstance(data, dict):
        return data
    kind, name = data.get("kind"), data.get("name")
    if kind == "dtype":
        return getattr(jnp, jnp.dtype(name).name)
    found = _known().get(str(name))
    if found is None or kind not in ("class", "function", "record") or inspect.isclass(found) == (kind == "function"):
        raise ValueError(
            f"the file names {kind} {name!r}, which zoo does not define{did_you_mean(str(name), _known())}"
        )
    if kind != "record":
        return found
    fields = {field: decode(entry) for field, entry in data["fields"].items()}
    if unknown := fields.keys() - set(_fields(found)):
        raise ValueError(f"the file gives {name} the fields {', '.join(sorted(unknown))}, which it does not have")
    return found(**fields)


def _fields(record: type) -> list[str]:
    if dataclasses.is_dataclass(record):
        return [
            field.name for field in dataclasses.fields(record) if field.init and field.name not in ("parent", "name")
        ]
    return list(record._fields)  # type: ignore[attr-defined]


@functools.cache
def _known() -> dict[str, Any]:
    """{name: class or function} of all that a file may name, such as `"layers.normalization.BatchNorm"`."""
    found: dict[str, Any] = {"Preprocess": Preprocess} | {name: getattr(nn, name) for name in ACTIVATIONS}
    for package in (zoo.layers, zoo.architectures):
        for info in pkgutil.iter_modules(package.__path__):
            module = importlib.import_module(f"{package.__name__}.{info.name}")
            for name, value in vars(module).items():
                if (inspect.isclass(value) or inspect.isfunction(value)) and value.__module__ == module.__name__:
                    found[f"{module.__name__.removeprefix('zoo.')}.{name}"] = value
    return found
