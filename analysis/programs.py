"""Traced programs, looked through: what is computed, however deep in `jit`, custom derivatives or rematerialisation."""

import functools
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
from jax.extend import core
from jax.tree_util import Partial


def trace(function: Partial, *args: Any) -> core.ClosedJaxpr:
    """The program of a function for arguments of these shapes and types; its first inputs are what it holds.

    Programs of equal functions and equal shapes are remembered.

    Args:
      function: what `analysis.drive.as_argument` gives.
      *args: trees of arrays, or of their shapes and types.

    Returns:
      A program with one input a leaf of `(function, *args)`.

    Example:
      >>> len(trace(Partial(jax.numpy.add, jax.numpy.ones(2)), jax.numpy.ones(2)).jaxpr.invars)
      2
    """
    leaves, structure = jax.tree.flatten((function, args))
    return _traced(structure, tuple(jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for leaf in leaves))


@functools.lru_cache(maxsize=32)
def _traced(structure: Any, shapes: tuple) -> core.ClosedJaxpr:
    def run(*leaves):
        function, args = jax.tree.unflatten(structure, leaves)
        return function(*args)

    return jax.make_jaxpr(run)(*shapes)


def equations(program: Any, path: str = "") -> Iterator[tuple[str, core.JaxprEqn]]:
    """All equations of a program and of the programs inside, in order, each after the path of its module.

    Example:
      >>> [equation.primitive.name for _, equation in equations(jax.make_jaxpr(jax.jit(jax.numpy.sin))(1.0))]
      ['jit', 'sin']
    """
    for equation in getattr(program, "jaxpr", program).eqns:
        here = module_of(equation, path)
        yield here, equation
        for part in equation.params.values():
            for inner in part if isinstance(part, tuple | list) else (part,):
                if hasattr(inner, "eqns") or hasattr(inner, "jaxpr"):
                    yield from equations(inner, here)


def module_of(equation: core.JaxprEqn, path: str = "") -> str:
    """The path of the module that an equation is of, in a program that is itself run in the module `path`."""
    return "/".join(part for part in (path, str(equation.source_info.name_stack)) if part)


def inside(equation: core.JaxprEqn) -> Any:
    """The program that an equation runs once, on its last operands; None: it is a step of its own, or a loop.

    Where a computation has one form a platform, the default one is taken.
    """
    params = equation.params
    if platforms := params.get("branches_platforms"):
        return params["branches"][platforms.index(None)]
    if equation.primitive.name in ("scan", "while", "cond"):
        return None
    return params.get("call_jaxpr", params.get("jaxpr"))


def literal(atom: Any) -> Any:
    """The number that an operand is written as; None: it is computed.

    Example:
      >>> equation = jax.make_jaxpr(lambda x: jax.lax.max(x, 0.0))(1.0).eqns[0]
      >>> [literal(atom) for atom in equation.invars]
      [None, 0.0]
    """
    return float(atom.val) if isinstance(atom, core.Literal) and np.ndim(atom.val) == 0 else None
