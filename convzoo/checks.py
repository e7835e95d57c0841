"""Checks of values that all packages share; each error names the value, the expectation and the nearest choice."""

import difflib
import math
import numbers
from collections.abc import Iterable
from typing import Any

import jax
import numpy as np


def integer(name: str, value: Any, low: int = 1, high: float = math.inf) -> int:
    """Return an integer of Python or NumPy as an `int`, or refuse it.

    Args:
      name: of the argument, for the error.
      value: to be checked.
      low: the least value allowed.
      high: the greatest value allowed.

    Raises:
      ValueError: not an integer, or outside [low, high]; a boolean is not an integer.

    Example:
      >>> integer("steps", 0)
      Traceback (most recent call last):
      ValueError: steps=0: expected a positive integer
    """
    if is_integer(value, low, high):
        return int(value)
    if high < math.inf:
        expected = f"an integer from {low} to {high}"
    else:
        expected = {0: "a non-negative integer", 1: "a positive integer"}.get(low, f"an integer of at least {low}")
    raise ValueError(f"{name}={value!r}: expected {expected}")


def is_integer(value: Any, low: float = -math.inf, high: float = math.inf) -> bool:
    """Whether a value is an integer of Python or NumPy in [low, high], and not a boolean.

    Example:
      >>> is_integer(np.int32(3)), is_integer(True), is_integer(3.0), is_integer(0, low=1)
      (True, False, False, False)
    """
    return isinstance(value, numbers.Integral) and not isinstance(value, bool | np.bool_) and low <= int(value) <= high


def number(
    name: str, value: Any, low: float = -math.inf, high: float = math.inf, *, above: bool = False, below: bool = False
) -> float:
    """Return a finite number of Python or NumPy as a `float`, or refuse it.

    Args:
      name: of the argument, for the error.
      value: to be checked.
      low, high: the interval allowed, closed by default.
      above: leave `low` out of the interval.
      below: leave `high` out of the interval.

    Raises:
      ValueError: not a number, not finite, or outside the interval; a boolean is not a number.

    Example:
      >>> number("rate", 1, 0, 1, below=True)
      Traceback (most recent call last):
      ValueError: rate=1: expected a number of at least 0 and below 1
    """
    if is_number(value, low, high, above=above, below=below):
        return float(value)
    bounds = [f"{'above' if above else 'of at least'} {low:g}"] if low > -math.inf else []
    bounds += [f"{'below' if below else 'at most'} {high:g}"] if high < math.inf else []
    kind = " ".join(["a number" if bounds else "a finite number", " and ".join(bounds)]).rstrip()
    raise ValueError(f"{name}={value!r}: expected {kind}")


def is_number(
    value: Any, low: float = -math.inf, high: float = math.inf, *, above: bool = False, below: bool = False
) -> bool:
    """Whether a value is a finite number of Python or NumPy in an interval, as for `number`.

    Example:
      >>> is_number(0.5, 0, 1), is_number(1, 0, 1, below=True), is_number(math.nan), is_number(True)
      (True, False, False, False)
    """
    if not isinstance(value, numbers.Real) or isinstance(value, bool | np.bool_) or not math.isfinite(value):
        return False
    real = float(value)
    return (low < real if above else low <= real) and (real < high if below else real <= high)


def choice(name: str, value: Any, choices: Iterable[Any]) -> None:
    """Refuse a value that is not among the choices.

    Raises:
      ValueError: with the nearest choices and all of them.

    Example:
      >>> choice("channels", "mean", ("max", "sum"))
      Traceback (most recent call last):
      ValueError: channels='mean' is unknown: expected 'max' or 'sum'
    """
    options = [*choices]
    if any(value is option or (type(value) is type(option) and value == option) for option in options):
        return
    hint = did_you_mean(value, [option for option in options if isinstance(option, str)])
    *first, last = map(repr, options)
    listed = f"{', '.join(first)} or {last}" if first else last
    raise ValueError(f"{name}={value!r} is unknown{hint}: expected {listed}")


def nearest(value: Any, choices: Iterable[str]) -> list[str]:
    """The choices, three at most, whose spelling is near, the nearest first.

    Example:
      >>> nearest("epoch", ["epochs", "seed"])
      ['epochs']
    """
    return difflib.get_close_matches(str(value), [*choices], n=3, cutoff=0.6)


def did_you_mean(value: Any, choices: Iterable[str]) -> str:
    """A hint with the nearest choices, or an empty string where none is near.

    Example:
      >>> did_you_mean("resnet51", ["resnet50", "vgg16"])
      ', did you mean resnet50?'
    """
    near = nearest(value, choices)
    return f", did you mean {' or '.join(near)}?" if near else ""


def key(name: str, value: Any) -> jax.Array:
    """Return a random key, or refuse anything but a single one.

    Raises:
      ValueError: not a key from `jax.random.key` or `jax.random.PRNGKey`, or an array of several.

    Example:
      >>> key("key", 0)
      Traceback (most recent call last):
      ValueError: key=0: expected one key, such as jax.random.key(0)
    """
    try:
        jax.eval_shape(jax.random.fold_in, value, 0)
    except (TypeError, ValueError):
        raise ValueError(f"{name}={value!r}: expected one key, such as jax.random.key(0)") from None
    return value
