"""The largest value of each window, with a derivative that suits the platform."""

import functools
import itertools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from zoo.layers.native import Ints, Pairs, windows

MOST_TAPS = 49  # beyond 7×7 the unrolled comparisons take longer to compile than they save


def largest(x: jax.Array, size: Ints, step: Ints, reach: Pairs) -> jax.Array:
    """Max pooling with validated, explicit arguments.

    On CPU windows are reduced axis by axis, and the gradient is collected by the pixels, each of which asks the
    windows around it whether it is the winner: XLA scatters it window by window, 4 times slower or
    more. Where two pixels of a window are equal the first one, row by row, has the gradient on every platform.

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


@functools.partial(jax.custom_jvp, nondiff_argnums=(1, 2, 3))
def _compared(x: jax.Array, size: Ints, step: Ints, reach: Pairs) -> jax.Array:
    for axis in range(len(size)):
        x = _reduce_window(x, _along(axis, size, 1), _along(axis, step, 1), _along(axis, reach, (0, 0)))
    return x


def _along(axis: int, values: tuple, rest: Any) -> tuple:
    """The value of one axis, and the same value for the rest."""
    return tuple(value if index == axis else rest for index, value in enumerate(values))


@_compared.defjvp
def _tangent(size: Ints, step: Ints, reach: Pairs, primals, tangents):
    """The change of each window's winner: the adjoint of `_credited`, so that its adjoint in turn is that."""
    (x,), (moved,) = primals, tangents
    y = _compared(x, size, step, reach)
    padded = lax.pad(x, _lowest(x.dtype), ((0, 0, 0), *((low, high, 0) for low, high in reach), (0, 0, 0)))
    winner = jnp.full(y.shape, -1, jnp.int8)
    for tap, pixels in reversed(list(enumerate(windows(padded, size, step, ((0, 0),) * len(size), (1,) * len(size))))):
        winner = jnp.where(pixels == y, jnp.int8(tap), winner)
    credited = functools.partial(_credited, winner=winner, sizes=x.shape[1:-1], size=size, step=step, reach=reach)
    (change,) = jax.linear_transpose(credited, y)(moved)
    return y, change


def _credited(cotangent: jax.Array, winner: jax.Array, sizes: Ints, size: Ints, step: Ints, reach: Pairs) -> jax.Array:
    """Each pixel collects the cotangents of the windows in which it is the winner.

    Pixels as far apart as the windows ask the same taps: there is one image of sums for each place within a step.
    """
    blocks = [-(-(low + n + high) // s) for n, s, (low, high) in zip(sizes, step, reach, strict=True)]
    earlier = [(k - 1) // s for k, s in zip(size, step, strict=True)]
    ends = [(e, b - n, 0) for e, b, n in zip(earlier, blocks, winner.shape[1:-1], strict=True)]
    winner = lax.pad(winner, np.int8(-1), [(0, 0, 0), *ends, (0, 0, 0)])
    cotangent = lax.pad(cotangent, cotangent.dtype.type(0), [(0, 0, 0), *ends, (0, 0, 0)])
    nothing = jnp.zeros((), cotangent.dtype)
    number = {tap: index for index, tap in enumerate(np.ndindex(*size))}

    def asked(tap: Ints) -> jax.Array:
        start = [e - t // s for e, t, s in zip(earlier, tap, step, strict=True)]
        here = (slice(None), *(slice(at, at + b) for at, b in zip(start, blocks, strict=True)))
        return jnp.where(winner[here] == number[tap], cotangent[here], nothing)

    def collected(place: Ints) -> jax.Array:
        taps = itertools.product(*(range(at, k, s) for at, k, s in zip(place, size, step, strict=True)))
        shape = (cotangent.shape[0], *blocks, cotangent.shape[-1])
        return functools.reduce(jnp.add, map(asked, taps), jnp.zeros(shape, cotangent.dtype))

    sums = jnp.stack([collected(place) for place in np.ndindex(*step)]).reshape(*step, -1, *blocks, winner.shape[-1])
    axes = len(size)
    order = [axes, *itertools.chain(*((axes + 1 + axis, axis) for axis in range(axes))), 2 * axes + 1]
    wide = [b * s for b, s in zip(blocks, step, strict=True)]
    inside = tuple(slice(low, low + n) for n, (low, _) in zip(sizes, reach, strict=True))
    return sums.transpose(order).reshape(-1, *wide, winner.shape[-1])[(slice(None), *inside)]
