"""Models as JSON and back, without running anything that the file says.

Classes and functions are written by stable public names (`BatchNorm`, `ResNet`), which do not change when a module
moves. Decoding looks names up in a table of what this package defines; it imports nothing and calls nothing but
the constructors of modules, normalizations and other plain records.
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
from convzoo.checks import did_you_mean
from zoo.architectures import efficientnet, mobilenet_v3
from zoo.layers import activations
from zoo.preprocess import Preprocess

# Those of flax.linen.
ACTIVATIONS = (
    *("celu", "elu", "gelu", "hard_sigmoid", "hard_swish", "hard_tanh", "leaky_relu", "log_sigmoid"),
    *("relu", "relu6", "selu", "sigmoid", "silu", "soft_sign", "softplus", "tanh"),
)

# Stable names of what cannot have its own name in a file, because something else has it.
EXCEPTIONS = {
    activations.gelu: "exact_gelu",
    efficientnet.Row: "EfficientNetRow",
    mobilenet_v3.Row: "MobileNetV3Row",
}

# Forms of a computation, which no field of a model names.
INTERNAL = "zoo.layers.cpu"

# Format 1 wrote module paths, such as "layers.normalization.BatchNorm"; the last part is the stable name, except here.
FORMAT_1_PACKAGES = ("layers.", "architectures.")
FORMAT_1_EXCEPTIONS = {
    "layers.activations.gelu": "exact_gelu",
    "architectures.efficientnet.Row": "EfficientNetRow",
    "architectures.mobilenet_v3.Row": "MobileNetV3Row",
}


def encode(value: Any) -> Any:
    """Encode a field's value, or a whole module, as JSON.

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
    names = {id(entry): name for name, entry in stable_names().items()}
    if id(value) in names:
        return {"kind": "class" if inspect.isclass(value) else "function", "name": names[id(value)]}
    if id(type(value)) in names:
        return {
            "kind": "record",
            "name": names[id(type(value))],
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
    """Decode what `encode` returned; lists become tuples.

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
    names = stable_names()
    entry = names.get(_from_format_1(str(name)))
    if entry is None or kind not in ("class", "function", "record") or inspect.isclass(entry) == (kind == "function"):
        raise ValueError(f"the file names {kind} {name!r}, which zoo does not define{did_you_mean(str(name), names)}")
    if kind != "record":
        return entry
    fields = {field: decode(value) for field, value in data["fields"].items()}
    if unknown := fields.keys() - set(_fields(entry)):
        raise ValueError(f"the file gives {name} the fields {', '.join(sorted(unknown))}, which it does not have")
    return entry(**fields)


def _fields(record: type) -> list[str]:
    if dataclasses.is_dataclass(record):
        return [
            field.name for field in dataclasses.fields(record) if field.init and field.name not in ("parent", "name")
        ]
    return list(record._fields)  # type: ignore[attr-defined]


def _from_format_1(name: str) -> str:
    if name.startswith(FORMAT_1_PACKAGES):
        return FORMAT_1_EXCEPTIONS.get(name, name.rpartition(".")[2])
    return name


@functools.cache
def stable_names() -> dict[str, Any]:
    """{stable name: class or function} of everything that a file may name.

    Raises:
      ValueError: two things of one name, of which one needs an entry in `EXCEPTIONS`.

    Example:
      >>> stable_names()["BatchNorm"].__name__
      'BatchNorm'
    """
    names: dict[str, Any] = {"Preprocess": Preprocess} | {name: getattr(nn, name) for name in ACTIVATIONS}
    for package in (zoo.layers, zoo.architectures):
        for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if info.name.startswith(INTERNAL):
                continue
            module = importlib.import_module(info.name)
            for own_name, value in vars(module).items():
                is_definition = inspect.isclass(value) or inspect.isfunction(value)
                if own_name.startswith("_") or not is_definition or value.__module__ != module.__name__:
                    continue
                name = EXCEPTIONS.get(value, own_name)
                if name in names:
                    raise ValueError(
                        f"{module.__name__}.{own_name}: {name!r} already names {names[name]!r} in saved files"
                    )
                names[name] = value
    return names
