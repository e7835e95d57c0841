"""Whether the `act` field of a model is all of its rectifiers, read off its program."""

from collections.abc import Callable, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.extend import core

from analysis.network import Network
from convzoo import jaxprs

RECTIFIERS = (nn.relu, nn.relu6)
# What moves numbers without changing them.
_MOVES = ("broadcast_in_dim", "reshape", "squeeze", "expand_dims", "convert_element_type", "copy", "transpose")


def own_rectifier(network: Network, image_shape: Sequence[int]) -> Callable[[jax.Array], jax.Array]:
    """The rectifier that a model computes with, after a proof that its field `act` replaces all of it.

    The program with `act=relu` must be the model's own, and with `act` the identity no rectifier may remain:
    no maximum with zero and no choice by a sign. The maximum that keeps a normalization's variance from
    falling below zero is none.

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


def _rectifiers(program: core.ClosedJaxpr) -> list[str]:
    """The modules in which numbers are cut at zero, or bent there."""
    steps = [*jaxprs.equations(program)]
    zeros: set = set()
    signs: set = set()
    found: list[str] = []
    for index, (path, step) in enumerate(steps):
        kind = step.primitive.name
        floating = any(jnp.issubdtype(getattr(atom.aval, "dtype", bool), jnp.floating) for atom in step.invars)
        zero = [jaxprs.literal(atom) == 0 or _in(atom, zeros) for atom in step.invars]
        inner = jaxprs.inner_program(step)
        if inner is not None:
            given = getattr(inner, "jaxpr", inner).invars
            zeros.update(own for own, is_zero in zip(given, zero[-len(given) :], strict=True) if is_zero)
            signs.update(own for own, atom in zip(given, step.invars[-len(given) :], strict=True) if _in(atom, signs))
        elif kind == "broadcast_in_dim" and zero[0]:
            zeros.add(step.outvars[0])
        elif kind in ("gt", "ge", "lt", "le") and floating and any(zero):
            signs.add(step.outvars[0])
        elif (kind == "select_n" and _in(step.invars[0], signs)) or (
            kind == "max" and floating and any(zero) and not _is_variance(step.outvars[0], steps[index + 1 :])
        ):
            found.append(path)
    return found


def _in(atom: Any, variables: set) -> bool:
    return not isinstance(atom, core.Literal) and atom in variables


def _is_variance(variable: Any, following: Sequence[tuple[str, core.JaxprEqn]]) -> bool:
    """Whether a value is only ever added to and then the root taken of it."""
    names = {variable}
    for _, equation in following:
        if any(_in(atom, names) for atom in equation.invars):
            if equation.primitive.name in ("sqrt", "rsqrt"):
                return True
            if equation.primitive.name not in (*_MOVES, "add"):
                return False
            names.update(equation.outvars)
    return False
