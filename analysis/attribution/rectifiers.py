"""Whether the `act` field of a model is all of its rectifiers, read off its program."""

from collections.abc import Callable, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core

from analysis import checks
from analysis.network import Network
from convzoo import jaxprs

RECTIFIERS = (nn.relu, nn.relu6)
# Primitives that move numbers without changing them.
_MOVES = ("broadcast_in_dim", "reshape", "squeeze", "expand_dims", "convert_element_type", "copy", "transpose")


def own_rectifier(network: Network, image_shape: Sequence[int]) -> Callable[[jax.Array], jax.Array]:
    """The rectifier that a model computes with, after a proof that its field `act` replaces all of it.

    The program with `act=relu` must be the model's own, and with `act` the identity no rectifier may remain:
    no maximum with zero and no choice by a sign. The maximum that keeps a normalization's variance from
    falling below zero does not count.

    Args:
      network: a network; the shapes of its variables are enough.
      image_shape: (H, W, C) of the images.

    Returns:
      `nn.relu` or `nn.relu6`.

    Raises:
      ValueError: no field `act`; another activation; rectifiers that the field does not reach.

    Example:
      >>> own_rectifier(Network(nn.Sequential([nn.relu]), {}), (2, 2, 1))
      Traceback (most recent call last):
      ValueError: Sequential has no field `act`...
    """
    model, inputs = network.model, network.input_form(image_shape)
    name, instead = type(model).__name__, "saliency, smoothgrad and integrated_gradients take any model"
    if "act" not in getattr(model, "__dataclass_fields__", {}):
        raise ValueError(f"{name} has no field `act` through which its rectifiers could be replaced: {instead}")

    def program(act):
        changed = model.clone(act=act) if act else model
        return jaxprs.trace(Network(changed, network.variables).logits_fn, inputs)

    bare = program(_identity)
    left = _rectifiers(bare)
    if left:
        where = ", ".join(dict.fromkeys(left[:4]))
        raise ValueError(f"{len(left)} rectifiers of {name} do not go through its field `act` ({where}): {instead}")
    own = _signature(program(None))
    for rectifier in RECTIFIERS:
        if _signature(program(rectifier)) == own != _signature(bare):
            return rectifier
    raise ValueError(
        f"{name} does not compute with ReLU or ReLU6 alone, and only for these is there such a map: {instead}; "
        "with act=nn.relu it would be another network"
    )


def _identity(x: jax.Array) -> jax.Array:
    return x


def _signature(program: core.ClosedJaxpr) -> list[tuple]:
    return [
        (step.primitive.name, *(str(atom.aval) for atom in step.outvars), *map(jaxprs.literal, step.invars))
        for _, step in jaxprs.equations(program)
    ]


ZERO, SIGN = "zero", "sign"
"""Values of the interpreter: zeros, and comparisons with zero. A set of numbers stands for cuts at zero, by their
place in the list of those met so far, which are variances if nothing but additions leads them to a root."""


def _rectifiers(program: core.ClosedJaxpr) -> list[str]:
    """The modules in which numbers are cut at zero, or bent there."""
    places: list[str] = []
    under_a_root: set[int] = set()
    elsewhere: set[int] = set()

    def rule(equation, operands, path):
        kind = equation.primitive.name
        result: Any = None
        floating = any(jnp.issubdtype(getattr(atom.aval, "dtype", bool), jnp.floating) for atom in equation.invars)
        cuts = frozenset().union(*(value for value in operands if isinstance(value, frozenset)))
        if kind in ("sqrt", "rsqrt"):
            under_a_root.update(cuts)
        elif cuts and kind in (*_MOVES, "add"):
            result = cuts
        elif kind in _MOVES:
            result = operands[0]
        else:
            elsewhere.update(cuts)
        if kind in ("gt", "ge", "lt", "le") and floating and ZERO in operands:
            result = SIGN
        if kind == "select_n" and operands[0] == SIGN:
            places.append(path)
        if kind == "max" and floating and ZERO in operands:
            result = frozenset({len(places)})
            places.append(path)
        if kind in jaxprs.LOOPS:
            for body in jaxprs.inner_programs(equation):
                interpret(body, path)
        return [result] * len(equation.outvars)

    def interpret(program, path=""):
        inputs = [None] * len(getattr(program, "jaxpr", program).invars)
        return jaxprs.interpret(program, inputs, rule, _zero, path)

    for value in interpret(program):
        elsewhere.update(value if isinstance(value, frozenset) else ())
    return [path for index, path in enumerate(places) if index not in under_a_root or index in elsewhere]


def _zero(value: Any) -> str | None:
    """ZERO for a constant that is zero everywhere."""
    numeric = checks.is_concrete(value) and jnp.issubdtype(jnp.result_type(value), jnp.number)
    return ZERO if numeric and not np.any(value) else None
