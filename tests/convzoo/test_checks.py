"""Checks of values: one row a value, accepted or refused with its message."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from convzoo import checks

ACCEPTED = {
    "integer of Python": (checks.integer, ("n", 3), 3),
    "integer of NumPy": (checks.integer, ("n", np.uint8(3)), 3),
    "the least": (checks.integer, ("n", 0, 0), 0),
    "the greatest": (checks.integer, ("n", 5, 2, 5), 5),
    "beyond 64 bits": (checks.integer, ("n", 2**70), 2**70),
    "number": (checks.number, ("x", 0.5), 0.5),
    "integer as a number": (checks.number, ("x", 2), 2.0),
    "number of NumPy": (checks.number, ("x", np.float32(0.5), 0, 1), 0.5),
    "a closed end": (checks.number, ("x", 1, 0, 1), 1.0),
}

REFUSED = {
    "bool": (checks.integer, ("n", True), "n=True: expected a positive integer"),
    "bool of NumPy": (checks.integer, ("n", np.True_), "expected a positive integer"),
    "float": (checks.integer, ("n", 3.0), "n=3.0: expected a positive integer"),
    "text": (checks.integer, ("n", "3"), "n='3': expected a positive integer"),
    "None": (checks.integer, ("n", None), "n=None: expected a positive integer"),
    "array": (checks.integer, ("n", np.ones(2, int)), "expected a positive integer"),
    "zero": (checks.integer, ("n", 0), "n=0: expected a positive integer"),
    "negative": (checks.integer, ("n", -1, 0), "n=-1: expected a non-negative integer"),
    "too small": (checks.integer, ("n", 1, 2), "n=1: expected an integer of at least 2"),
    "too large": (checks.integer, ("n", 6, 2, 5), "n=6: expected an integer from 2 to 5"),
    "nan": (checks.number, ("x", math.nan), "x=nan: expected a finite number"),
    "nan of NumPy": (checks.number, ("x", np.float32("nan"), 0), "expected a number of at least 0"),
    "infinite": (checks.number, ("x", math.inf, 0), "x=inf: expected a number of at least 0"),
    "a boolean number": (checks.number, ("x", False), "x=False: expected a finite number"),
    "a boolean number of NumPy": (checks.number, ("x", np.False_), "expected a finite number"),
    "a complex number": (checks.number, ("x", 1j), "x=1j: expected a finite number"),
    "a number as text": (checks.number, ("x", "1"), "x='1': expected a finite number"),
    "below": (checks.number, ("x", -0.1, 0), "x=-0.1: expected a number of at least 0"),
    "above": (checks.number, ("x", 1.5, 0, 1), "x=1.5: expected a number of at least 0 and at most 1"),
}
OPEN = {
    "at the open lower end": (0, {"above": True}, "above 0 and at most 1"),
    "at the open upper end": (1, {"below": True}, "of at least 0 and below 1"),
}


@pytest.mark.parametrize(("check", "arguments", "result"), ACCEPTED.values(), ids=ACCEPTED)
def test_accepted(check, arguments, result):
    value = check(*arguments)
    assert value == result
    assert type(value) is type(result)


@pytest.mark.parametrize(("check", "arguments", "message"), REFUSED.values(), ids=REFUSED)
def test_refused(check, arguments, message):
    with pytest.raises(ValueError) as error:  # noqa: PT011
        check(*arguments)
    assert str(error.value).endswith(message)


@pytest.mark.parametrize(("value", "ends", "message"), OPEN.values(), ids=OPEN)
def test_an_end_left_out(value, ends, message):
    assert checks.number("x", value, 0, 1) == value
    with pytest.raises(ValueError, match=message):
        checks.number("x", value, 0, 1, **ends)


CHOICES = {
    "near": ("men", ("mean", "max"), "name='men' is unknown, did you mean mean.*: expected 'mean' or 'max'"),
    "far": ("x", ("mean", "max", "sum"), "name='x' is unknown: expected 'mean', 'max' or 'sum'"),
    "of another type": (1.0, (1, 2), "name=1.0 is unknown: expected 1 or 2"),
    "a boolean": (True, (1, 2), "name=True is unknown"),
    "an array": (np.ones(2), ("mean",), "is unknown: expected 'mean'"),
}


@pytest.mark.parametrize(("value", "choices", "message"), CHOICES.values(), ids=CHOICES)
def test_choices(value, choices, message):
    for option in choices:
        checks.choice("name", option, choices)
    with pytest.raises(ValueError, match=message):
        checks.choice("name", value, choices)


@pytest.mark.parametrize("key", [jax.random.key(0), jax.random.PRNGKey(0)], ids=["typed", "raw"])
def test_one_key(key):
    assert checks.key("key", key) is key


@pytest.mark.parametrize("value", [0, None, "0", jnp.zeros(2), jax.random.split(jax.random.key(0))], ids=repr)
def test_anything_but_one_key(value):
    with pytest.raises(ValueError, match="expected one key, such as"):
        checks.key("key", value)
