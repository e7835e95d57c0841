"""Fields of a model written as text: what `--set NAME=VALUE` means."""

import ast
from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax

from convzoo.checks import did_you_mean
from zoo.layers import normalization

ACTIVATIONS: dict[str, Callable[[jax.Array], jax.Array]] = {
    function.__name__: function
    for function in (nn.relu, nn.relu6, nn.leaky_relu, nn.elu, nn.gelu, nn.silu, nn.hard_swish, nn.softplus)
} | {"sigmoid": nn.sigmoid, "tanh": nn.tanh}

NORMS: dict[str, Callable[..., normalization.Norm]] = {
    norm.__name__: norm
    for norm in (normalization.BatchNorm, normalization.GroupNorm, normalization.LayerNorm, normalization.NoNorm)
}


def parse(text: str) -> tuple[str, Any]:
    """Read NAME=VALUE; the value is a Python literal, or else text.

    Raises:
      ValueError: there is no name or no equals sign.

    Example:
      >>> parse("widths=(8, 16)")
      ('widths', (8, 16))
    """
    name, equals, value = text.partition("=")
    if not (equals and name.isidentifier()):
        raise ValueError(f"--set {text!r}: expected NAME=VALUE, such as act=gelu or widths=(32,64)")
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return name, value


def resolve(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The values that a model takes: functions and normalizations from their names, tuples from lists.

    Args:
      fields: `act` may be one of `ACTIVATIONS`, and `norm` one of `NORMS` with literal arguments, such
        as `"GroupNorm(groups=8)"`; everything else stays as it is.

    Returns:
      Keyword arguments for `zoo.create`.

    Raises:
      ValueError: an unknown activation or normalization.

    Example:
      >>> resolve({"norm": "GroupNorm(8)", "widths": [8, 16]})
      {'norm': GroupNorm(groups=8, epsilon=1e-05), 'widths': (8, 16)}
    """
    readers: dict[str, Callable[[str], Any]] = {"act": _activation, "norm": _norm}
    return {
        name: readers[name](value) if name in readers and isinstance(value, str) else as_tuple(value)
        for name, value in fields.items()
    }


def as_tuple(value: Any) -> Any:
    """Tuples instead of lists, all the way down: JSON knows only lists, and a model's fields must be hashable."""
    if isinstance(value, Mapping):
        return {name: as_tuple(entry) for name, entry in value.items()}
    return tuple(map(as_tuple, value)) if isinstance(value, list | tuple) else value


def _activation(name: str) -> Callable[[jax.Array], jax.Array]:
    if name not in ACTIVATIONS:
        raise ValueError(
            f"act={name!r} is unknown{did_you_mean(name, ACTIVATIONS)}; there are {', '.join(ACTIVATIONS)}"
        )
    return ACTIVATIONS[name]


def _norm(text: str) -> normalization.Norm:
    name, bracket, _ = text.partition("(")
    if name not in NORMS:
        raise ValueError(f"norm={text!r} is unknown{did_you_mean(name, NORMS)}; there are {', '.join(NORMS)}")
    try:
        call = ast.parse(text if bracket else f"{text}()", mode="eval").body
        if not isinstance(call, ast.Call):
            raise ValueError(text)
        arguments = [ast.literal_eval(argument) for argument in call.args]
        return NORMS[name](*arguments, **{str(key.arg): ast.literal_eval(key.value) for key in call.keywords})
    except (SyntaxError, TypeError, ValueError):
        raise ValueError(
            f"norm={text!r}: expected a name with literal arguments, such as GroupNorm(groups=8)"
        ) from None
