"""Pooling: what a window holds, in one number a channel."""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from zoo.layers.arithmetic import Padding, Sizes, padding_pairs, per_axis


def _window(x: jax.Array, window: Sizes, strides: Sizes | None, padding: Padding):
    rank = 2 if isinstance(window, int) else len(window)
    if x.ndim != rank + 2:
        raise ValueError(
            f"an input of shape {x.shape}: pooling {window} expects (N, {'H, W' if rank == 2 else '*spatial'}, C)"
        )
    size = per_axis(window, rank, "window")
    step = size if strides is None else per_axis(strides, rank, "strides")
    pairs = padding_pairs(padding, x.shape[1:-1], size, step, (1,) * rank)
    for axis, (have, k, pair) in enumerate(zip(x.shape[1:-1], size, pairs, strict=True)):
        if k > have + sum(pair):
            raise ValueError(
                f"a window of {k} is larger than spatial axis {axis} of {have} with padding {pair}: use a larger input"
            )
    return size, step, pairs


def max_pool(x: jax.Array, window: Sizes, strides: Sizes | None = None, padding: Padding = "VALID") -> jax.Array:
    """The largest value of each window.

    Args:
      x: (N, *spatial, C).
      window: size of the window, in pixels.
      strides: step between windows; by default the window's own size.
      padding: as for `zoo.layers.convolution`; padded pixels never win.

    Returns:
      (N, *output sizes, C).

    Raises:
      ValueError: a window that does not fit.

    Example:
      >>> max_pool(jnp.arange(16.0).reshape(1, 4, 4, 1), 2)[0, :, :, 0].tolist()
      [[5.0, 7.0], [13.0, 15.0]]
    """
    size, step, pairs = _window(x, window, strides, padding)
    return nn.max_pool(x, size, step, pairs)


def avg_pool(
    x: jax.Array,
    window: Sizes,
    strides: Sizes | None = None,
    padding: Padding = "VALID",
    count_include_pad: bool = True,
) -> jax.Array:
    """The mean of each window.

    Args:
      x: (N, *spatial, C).
      window, strides, padding: as for `max_pool`.
      count_include_pad: divide by the window's size, padding included, or by the pixels that are there.

    Returns:
      (N, *output sizes, C).

    Example:
      >>> avg_pool(jnp.arange(16.0).reshape(1, 4, 4, 1), 2)[0, :, :, 0].tolist()
      [[2.5, 4.5], [10.5, 12.5]]
    """
    size, step, pairs = _window(x, window, strides, padding)
    total = nn.pool(x, 0.0, lax.add, size, step, pairs)
    if count_include_pad:
        return total / np.asarray(math.prod(size), x.dtype)
    ones = np.ones((1, *x.shape[1:-1], 1), x.dtype)
    return total / jnp.broadcast_to(nn.pool(ones, 0.0, lax.add, size, step, pairs), total.shape)


def global_avg_pool(x: jax.Array) -> jax.Array:
    """The mean of every channel over all of space: (N, *spatial, C) → (N, C).

    Example:
      >>> global_avg_pool(jnp.ones((2, 7, 7, 3))).shape
      (2, 3)
    """
    return jnp.mean(x, axis=tuple(range(1, x.ndim - 1)))


def flatten(x: jax.Array) -> jax.Array:
    """All of space and channels in one axis, row by row: (N, *spatial, C) → (N, prod).

    Example:
      >>> flatten(jnp.ones((2, 4, 4, 3))).shape
      (2, 48)
    """
    return x.reshape(x.shape[0], math.prod(x.shape[1:]))
