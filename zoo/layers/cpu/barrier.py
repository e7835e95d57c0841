"""A barrier between computations that XLA would otherwise hand to a library as one."""

import jax
from jax import lax


def apart(x: jax.Array) -> jax.Array:
    """Return the same numbers, in a way that on CPU keeps what made them apart from what takes them.

    XLA hands a network of nothing but convolutions, rectifiers, pools and dense layers to one call of a library,
    in which a dense layer on few images takes thirty times as long as alone: a forward pass of VGG-11 on 8 images
    1.65 s instead of 0.74 s. That library has no selection.

    Example:
      >>> apart(jax.numpy.array([1.0, -jax.numpy.inf])).tolist()
      [1.0, -inf]
    """
    return lax.platform_dependent(x, cpu=lambda x: lax.select(x == x, x, x + x), default=lambda x: x)
