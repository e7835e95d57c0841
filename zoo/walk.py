"""Walk over a traced program, equation by equation, with a value of one's own in each variable.

The card's costs and receptive fields, and later any other abstract reading of a network,
are a rule for this one walker.
"""

from collections.abc import Callable, Sequence
from typing import Any

from jax.extend import core

Rule = Callable[[core.JaxprEqn, Sequence[Any], str], Sequence[Any]]


def walk(
    program: core.ClosedJaxpr, inputs: Sequence[Any], rule: Rule, constant: Any = None, path: str = ""
) -> list[Any]:
    """Interpret a traced program over values of any kind.

    Programs inside the program (jit, checkpoint, custom derivatives) are entered. Where a
    computation has one form a platform, the default form is taken: the native one.

    Args:
      program: from `jax.make_jaxpr`.
      inputs: one value an input of the program.
      rule: `(equation, input values, module path) -> output values`.
      constant: the value of literals and constants.
      path: prefix of the module paths.

    Returns:
      One value an output of the program.

    Example:
      >>> import jax
      >>> def count(equation, values, path):
      ...     return [max(values) + 1 for _ in equation.outvars]
      >>> walk(jax.make_jaxpr(lambda x: (2 * x + 1) * x)(1.0), [0], count, constant=0)
      [3]
    """
    jaxpr = getattr(program, "jaxpr", program)
    values = dict(zip(jaxpr.invars, inputs, strict=True)) | dict.fromkeys(jaxpr.constvars, constant)

    def read(atom):
        return constant if isinstance(atom, core.Literal) else values[atom]

    for equation in jaxpr.eqns:
        given = [read(atom) for atom in equation.invars]
        here = "/".join(part for part in (path, str(equation.source_info.name_stack)) if part)
        inner = _inside(equation)
        if inner is None:
            results = rule(equation, given, here)
        else:
            results = walk(inner, given[-len(getattr(inner, "jaxpr", inner).invars) :], rule, constant, here)
        values.update(zip(equation.outvars, results, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def _inside(equation: core.JaxprEqn) -> Any:
    params = equation.params
    if platforms := params.get("branches_platforms"):
        return params["branches"][platforms.index(None)]
    if equation.primitive.name in ("scan", "while", "cond"):
        return None
    return params.get("call_jaxpr", params.get("jaxpr"))


def module_path(stack: str) -> tuple[str, ...]:
    """The module that an equation belongs to, from the path that a rule is given.

    Example:
      >>> module_path("ResNet/ResNet.features/stem/conv/conv._weigh")
      ('stem', 'conv')
    """
    path: list[str] = []
    for part in stack.split("/"):
        module, method, _ = part.partition(".")
        if module.isidentifier() and not (method and path and path[-1] == module):
            path.append(module)
    return tuple(path[1:])
