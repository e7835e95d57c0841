"""The largest value of each window, with a derivative that suits the platform."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from zoo.layers.forms import Ints, Pairs, windows

# Beyond 7×7 the unrolled comparisons take longer to compile than they save.
MOST_TAPS = 49


def largest(x: jax.Array, size: Ints, step: Ints, reach: Pairs) -> jax.Array:
    """Max pooling with validated, explicit arguments.

    XLA scatters the gradient of a max pooling window by window, which on a CPU is 3 to 8 times slower
    than comparing each tap's pixels with the result. Where two pixels of a window are equal the first
    one, row by row, has the gradient on every platform.

    Args:
      x: (N, *spatial, C).
      size, step: of the windows, one integer a spatial axis.
      reach: one (before, after) pair a spatial axis: pixels by which the windows reach past the images.

    Returns:
      (N, *output sizes, C).
    """
    native = functools.partial(_reduce_window, size=size, step=step, reach=reach)
    if math.prod(size) > MOST_TAPS:
        return native(x)
    return lax.platform_dependent(x, cpu=lambda x: _compared(x, size, step, reach), default=native)


def _lowest(dtype: np.dtype) -> np.ndarray:
    if jnp.issubdtype(dtype, jnp.inexact):
        return np.asarray(-np.inf, dtype)
    return np.asarray(jnp.iinfo(dtype).min if jnp.issubdtype(dtype, jnp.integer) else False, dtype)


def _reduce_window(x: jax.Array, size: Ints, step: Ints, reach: Pairs) -> jax.Array:
    return lax.reduce_window(x, _lowest(x.dtype), lax.max, (1, *size, 1), (1, *step, 1), ((0, 0), *reach, (0, 0)))


_compared = jax.custom_jvp(_reduce_window, nondiff_argnums=(1, 2, 3))


@_compared.defjvp
def _tangent(size: Ints, step: Ints, reach: Pairs, primals, tangents):
    """How each window's winner moves: a sum over taps, which automatic differentiation can turn around."""
    (x,), (moved,) = primals, tangents
    y = _compared(x, size, step, reach)
    nothing = jnp.zeros((), x.dtype)
    edges = ((0, 0, 0), *((low, high, 0) for low, high in reach), (0, 0, 0))
    inside, flat = ((0, 0),) * len(size), (1,) * len(size)
    seen = windows(lax.pad(x, _lowest(x.dtype), edges), size, step, inside, flat)
    changes = windows(lax.pad(moved, nothing, edges), size, step, inside, flat)
    total, free = jnp.zeros_like(y), jnp.ones(y.shape, bool)
    for pixels, change in zip(seen, changes, strict=True):
        wins = free & (pixels == y)
        total = total + jnp.where(wins, change, nothing)
        free = free & ~wins
    return y, total
