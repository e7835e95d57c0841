"""Values before saturation: a layer's output with its last bounded activation function left out.

Where tanh is 1 for every image, its input still ranks the images, and still has a gradient.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.tree_util import Partial

from convzoo.jaxprs import interpret, trace

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
    (output,) = interpret(
        trace(activation, images), [*inputs, Value(images)], _rule, constant=lambda value: Value(value, fixed=True)
    )
    return output.now, output.before


def _rule(equation: Any, operands: Any, _: str) -> list[Value]:
    results = _bind(equation, [operand.now for operand in operands])
    fixed = all(operand.fixed for operand in operands)
    before = None if fixed else _before(equation, operands)
    return [Value(result, before, fixed) for result in results]


def _before(equation: Any, operands: Any) -> jax.Array | None:
    name, moving = equation.primitive.name, [operand for operand in operands if not operand.fixed]
    if name in BOUNDED:
        return operands[0].now
    if name == "min" and len(moving) == 1:
        return moving[0].now
    if name == "clamp" and not operands[1].fixed:
        return jnp.maximum(operands[0].now, operands[1].now)
    if name in PASSED and all(operand.before is not None for operand in moving):
        return _bind(equation, [operand.now if operand.fixed else operand.before for operand in operands])[0]
    return None


def _bind(equation: Any, values: list) -> list:
    results = equation.primitive.bind(*values, **equation.primitive.get_bind_params(equation.params))
    return results if equation.primitive.multiple_results else [results]
