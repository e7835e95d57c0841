"""Values before saturation: a layer's output with its last bounded activation function left out.

Where tanh is 1 for every image, its input still ranks the images, and still has a gradient.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.extend import core
from jax.tree_util import Partial

from convzoo.jaxprs import inner_program, trace

BOUNDED = ("tanh", "logistic", "erf")
"""Primitives that rise to a bound, which rounding reaches."""
PASSED = (
    *("reshape", "transpose", "squeeze", "broadcast_in_dim", "convert_element_type", "copy", "slice", "concatenate"),
    *("reduce_window_max", "reduce_window_sum", "add", "sub", "mul", "div"),
)
"""Primitives that move, pool or scale values; the value before saturation takes the same way."""


class Value(NamedTuple):
    """A value of a traced program.

    Attributes:
      now: the value itself.
      before: what it would be without the bounded activation function that it comes from; None: it comes from none.
      fixed: whether it is the same for all images.
    """

    now: Any
    before: Any = None
    fixed: bool = False


def unsaturated(activation: Partial, images: jax.Array) -> tuple[jax.Array, jax.Array | None]:
    """The output of a layer, and what it would be without the bounded activation function that it ends in.

    Pooling, reshaping and fixed scales between the activation function and the output apply to both.

    Args:
      activation: images → output, as `analysis.layers.Layer` has it.
      images: (N, H, W, C).

    Returns:
      The output, and one of the same shape; None where the layer does not end in tanh, a logistic function, erf, or a
      minimum with a constant.

    Example:
      >>> output, before = unsaturated(Partial(jnp.tanh), jnp.array([20.0, 30.0]))
      >>> output.tolist(), before.tolist()
      ([1.0, 1.0], [20.0, 30.0])
    """
    inputs = [Value(leaf, fixed=True) for leaf in jax.tree.leaves(activation)]
    (output,) = _evaluate(trace(activation, images), [*inputs, Value(images)])
    return output.now, output.before


def _evaluate(program: Any, inputs: Sequence[Value]) -> list[Value]:
    """The outputs of a program.

    An equation that runs an inner program is computed whole, with its own derivatives and its form for the platform;
    inside it only its outputs before saturation are looked for.
    """
    jaxpr = getattr(program, "jaxpr", program)
    values = dict(zip(jaxpr.invars, inputs, strict=True))
    constants = [Value(value, fixed=True) for value in getattr(program, "consts", ())]
    values.update(zip(jaxpr.constvars, constants, strict=True))

    def read(atom: Any) -> Value:
        return Value(atom.val, fixed=True) if isinstance(atom, core.Literal) else values[atom]

    for equation in jaxpr.eqns:
        operands = [read(atom) for atom in equation.invars]
        results = _bind(equation, [operand.now for operand in operands])
        fixed, inner = all(operand.fixed for operand in operands), inner_program(equation)
        before: list[jax.Array | None] = [None] * len(results)
        if not fixed and inner is None:
            before = [_before(equation, operands)] * len(results)
        elif not fixed:
            count = len(getattr(inner, "jaxpr", inner).invars)
            before = [value.before for value in _evaluate(inner, operands[len(operands) - count :])]
        outputs = [Value(result, earlier, fixed) for result, earlier in zip(results, before, strict=True)]
        values.update(zip(equation.outvars, outputs, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def _before(equation: Any, operands: Any) -> jax.Array | None:
    name, moving = equation.primitive.name, [operand for operand in operands if not operand.fixed]
    if name in BOUNDED:
        return operands[0].now
    if name == "min" and len(moving) == 1:
        return moving[0].now
    if name == "clamp" and not operands[1].fixed:
        return jnp.maximum(operands[0].now, operands[1].now)
    if name in ("mul", "div") and len(moving) > 1:
        return None  # a product does not rise with both its factors
    if name in PASSED and all(operand.before is not None for operand in moving):
        return _bind(equation, [operand.now if operand.fixed else operand.before for operand in operands])[0]
    return None


def _bind(equation: Any, values: list) -> list:
    results = equation.primitive.bind(*values, **equation.primitive.get_bind_params(equation.params))
    return results if equation.primitive.multiple_results else [results]
