"""Traced programs: one interpreter over any abstract domain, and a flat view of all equations.

Costs, receptive fields, class activation maps, the search for rectifiers and certified bounds are each a
rule for this interpreter.
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import numpy as np
from jax.extend import core
from jax.tree_util import Partial

Rule = Callable[[core.JaxprEqn, Sequence[Any], str], Sequence[Any]]
"""`(equation, input values, module path) -> output values`."""

LOOPS = ("scan", "while", "cond")
COMBINATIONS = ("reduce", "reduce_window", "pallas_call")
"""Primitives whose inner program combines single elements or blocks of their operands."""


def trace(function: Partial, *args: Any) -> core.ClosedJaxpr:
    """Trace a function to a program whose first inputs are the leaves of the function.

    Programs of equal functions and equal shapes are cached.

    Args:
      function: a callable pytree.
      *args: trees of arrays, or of their shapes and dtypes.

    Returns:
      A program with one input for each leaf of `(function, *args)`.

    Example:
      >>> len(trace(Partial(jax.numpy.add, jax.numpy.ones(2)), jax.numpy.ones(2)).jaxpr.invars)
      2
    """
    leaves, structure = jax.tree.flatten((function, args))
    return _trace(structure, tuple(jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for leaf in leaves))


@functools.lru_cache(maxsize=32)
def _trace(structure: Any, shapes: tuple) -> core.ClosedJaxpr:
    def run(*leaves):
        function, args = jax.tree.unflatten(structure, leaves)
        return function(*args)

    return jax.make_jaxpr(run)(*shapes)


def interpret(
    program: Any, inputs: Sequence[Any], rule: Rule, constant: Callable[[Any], Any] = lambda value: None, path: str = ""
) -> list[Any]:
    """Interpret a traced program over values of any kind.

    Inner programs (jit, checkpoint, custom derivatives) are entered. Where a computation has one form for each
    platform, the default one is taken: the native form. Loops and general reductions are single equations for the rule.

    Args:
      program: from `trace` or `jax.make_jaxpr`.
      inputs: one value for each input of the program.
      rule: `(equation, input values, module path) -> output values`.
      constant: gives the value of a literal or a captured array.
      path: prefix of the module paths.

    Returns:
      One value for each output of the program.

    Raises:
      ValueError: another number of inputs, or of values from the rule, than the program has.

    Example:
      >>> def depth(equation, values, path):
      ...     return [max(values) + 1 for _ in equation.outvars]
      >>> interpret(jax.make_jaxpr(lambda x: (2 * x + 1) * x)(1.0), [0], depth, constant=lambda value: 0)
      [3]
    """
    jaxpr = getattr(program, "jaxpr", program)
    values = dict(zip(jaxpr.invars, inputs, strict=True))
    captured = getattr(program, "consts", ())
    values.update(zip(jaxpr.constvars, map(constant, captured), strict=True))

    def read(atom):
        return constant(atom.val) if isinstance(atom, core.Literal) else values[atom]

    for equation in jaxpr.eqns:
        operands = [read(atom) for atom in equation.invars]
        scope = scope_of(equation, path)
        inner = inner_program(equation)
        if inner is None:
            results = rule(equation, operands, scope)
        else:
            count = len(getattr(inner, "jaxpr", inner).invars)
            results = interpret(inner, operands[len(operands) - count :], rule, constant, scope)
        values.update(zip(equation.outvars, results, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def inner_program(equation: core.JaxprEqn) -> Any:
    """The program that an equation runs once, on its last operands; None for a primitive, a loop, a general reduction.

    Where a computation has one form for each platform, this is the default form.
    """
    params = equation.params
    if platforms := params.get("branches_platforms"):
        return params["branches"][platforms.index(None)]
    if equation.primitive.name in (*LOOPS, *COMBINATIONS):
        return None
    return params.get("call_jaxpr", params.get("jaxpr"))


def inner_programs(equation: core.JaxprEqn) -> Iterator[Any]:
    """Iterate over all programs inside an equation: what it calls, the bodies of a loop, the forms for each platform.

    Example:
      >>> program = jax.make_jaxpr(lambda x: jax.lax.while_loop(lambda x: x < 8, lambda x: 2 * x, x))(1.0)
      >>> [len(inner.eqns) for inner in inner_programs(program.eqns[0])]
      [1, 1]
    """
    for part in equation.params.values():
        for inner in part if isinstance(part, tuple | list) else (part,):
            if hasattr(inner, "eqns") or hasattr(inner, "jaxpr"):
                yield inner


def equations(program: Any, path: str = "") -> Iterator[tuple[str, core.JaxprEqn]]:
    """Iterate over all equations of a program and its inner programs, loops and platforms included.

    Yields:
      `(module path, equation)`, in order of computation.

    Example:
      >>> [equation.primitive.name for _, equation in equations(jax.make_jaxpr(jax.jit(jax.numpy.sin))(1.0))]
      ['jit', 'sin']
    """
    for equation in getattr(program, "jaxpr", program).eqns:
        scope = scope_of(equation, path)
        yield scope, equation
        for inner in inner_programs(equation):
            yield from equations(inner, scope)


def scope_of(equation: core.JaxprEqn, path: str = "") -> str:
    """The module path of an equation, in a program that runs in the module `path`."""
    return "/".join(part for part in (path, str(equation.source_info.name_stack)) if part)


def module_path(scope: str) -> tuple[str, ...]:
    """The names of the nested modules in a module path, without methods and without the outermost module.

    Example:
      >>> module_path("ResNet/ResNet.features/stem/conv/conv._weigh")
      ('stem', 'conv')
    """
    path: list[str] = []
    for part in scope.split("/"):
        module, method, _ = part.partition(".")
        if module.isidentifier() and not (method and path and path[-1] == module):
            path.append(module)
    return tuple(path[1:])


def literal(atom: Any) -> float | None:
    """The number of a literal operand; None for a computed one.

    Example:
      >>> equation = jax.make_jaxpr(lambda x: jax.lax.max(x, 0.0))(1.0).eqns[0]
      >>> [literal(atom) for atom in equation.invars]
      [None, 0.0]
    """
    return float(atom.val) if isinstance(atom, core.Literal) and np.ndim(atom.val) == 0 else None
