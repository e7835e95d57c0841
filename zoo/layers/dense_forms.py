"""The ordinary convolution, of one group, written so that XLA on CPU finds a faster way.

Nothing here decides anything; `zoo.layers.lowering` does, and says why. All forms take validated,
explicit arguments without dilation, and agree with XLA's native form to rounding.
"""

import functools
import itertools
import math

import jax
import jax.numpy as jnp
from jax import lax

from zoo.layers.forms import Ints, Pairs, matmul_form, native_form


def taller_form(x: jax.Array, kernel: jax.Array, padding: Pairs) -> jax.Array:
    """Without stride, with as many rows at the bottom as make the output taller than the image; they are cut off."""
    rows = x.shape[1] + sum(padding[0]) - kernel.shape[0] + 1
    spare = max(0, x.shape[1] + 1 - rows)
    (before, after), *rest = padding
    return _plain(x, kernel, ((before, after + spare), *rest))[:, :rows]


def shorter_form(x: jax.Array, kernel: jax.Array, padding: Pairs) -> jax.Array:
    """Without stride, from an image with rows at the bottom that make it taller than the output.

    Its adjoint, the gradient in the image, is then a `taller_form`.
    """
    rows = x.shape[1] + sum(padding[0]) - kernel.shape[0] + 1
    spare = max(0, rows + 1 - x.shape[1])
    (before, after), *rest = padding
    x = lax.pad(x, x.dtype.type(0), [(0, spare if axis == 1 else 0, 0) for axis in range(x.ndim)])
    return _plain(x, kernel, ((before, after - spare), *rest))


# The gradient needs a transposed copy of the image; it is to keep the image, not the copy.
@functools.partial(jax.checkpoint, prevent_cse=False, static_argnums=(2,))
def lines_form(x: jax.Array, kernel: jax.Array, padding: Pairs) -> jax.Array:
    """Without stride, as the adjoint of a kernel gradient that is made of one-dimensional convolutions.

    That gradient slides the cotangent along the rows of the image, which it sees as a kernel over all images and
    rows at once; the rows of the kernel are as many batches.
    """

    def gradient(y: jax.Array) -> jax.Array:
        (*_, inputs), (images, rows, columns, outputs) = x.shape, y.shape
        pixels = jnp.pad(x, ((0, 0), padding[0], (0, 0), (0, 0))).transpose(3, 2, 1, 0)
        shifted = [
            lax.slice_in_dim(pixels, row, row + rows, axis=2).reshape(*pixels.shape[:2], rows * images)
            for row in range(kernel.shape[0])
        ]
        lines = y.transpose(2, 1, 0, 3).reshape(columns, rows * images, outputs)
        taps = _plain(jnp.concatenate(shifted), lines, padding[1:])
        return taps.reshape(kernel.shape[0], inputs, kernel.shape[1], outputs).transpose(0, 2, 1, 3)

    y = jax.eval_shape(lambda: _plain(x, kernel, padding))
    (answer,) = jax.linear_transpose(gradient, y)(kernel)
    return answer


def folded_form(x: jax.Array, kernel: jax.Array, strides: Ints, padding: Pairs) -> jax.Array:
    """Without stride, over blocks of `strides` pixels whose pixels have become channels (space to depth).

    With kernels as large as the strides and nothing padded this is one matrix product over patches.
    """
    spatial = range(1, x.ndim - 1)
    sizes = [
        (x.shape[axis] + sum(pair) - k) // s + 1
        for axis, k, s, pair in zip(spatial, kernel.shape, strides, padding, strict=False)
    ]
    # The kernel grows at both ends until it begins and ends with a block.
    skipped = [-low % s for (low, _), s in zip(padding, strides, strict=True)]
    taps = [-(-(k + skip) // s) for k, skip, s in zip(kernel.shape, skipped, strides, strict=False)]
    ends = [(skip, t * s - k - skip, 0) for k, skip, t, s in zip(kernel.shape, skipped, taps, strides, strict=False)]
    kernel = _folded(lax.pad(kernel, kernel.dtype.type(0), [*ends, (0, 0, 0), (0, 0, 0)]), taps, strides, 0)
    blocks = [-(-x.shape[axis] // s) for axis, s in zip(spatial, strides, strict=True)]
    ends = [(0, b * s - x.shape[axis], 0) for axis, b, s in zip(spatial, blocks, strides, strict=True)]
    x = _folded(lax.pad(x, x.dtype.type(0), [(0, 0, 0), *ends, (0, 0, 0)]), blocks, strides, 1)
    lows = [(low + skip) // s for (low, _), skip, s in zip(padding, skipped, strides, strict=True)]
    pairs = tuple((low, n + t - 1 - b - low) for low, n, t, b in zip(lows, sizes, taps, blocks, strict=True))
    if math.prod(taps) == 1 and not any(map(any, pairs)):
        return matmul_form(x, kernel, (1,) * len(strides))
    return taller_form(x, kernel, pairs)


def _plain(x: jax.Array, kernel: jax.Array, padding: Pairs) -> jax.Array:
    ones = (1,) * len(padding)
    return native_form(x, kernel, ones, padding, ones, 1)


def _folded(x: jax.Array, counts: list[int], block: Ints, first: int) -> jax.Array:
    """Blocks along the axes from `first` on: those of pixels within one go before the first axis after them."""
    axes = len(block)
    head, tail = x.shape[:first], x.shape[first + axes :]
    x = x.reshape(*head, *itertools.chain(*zip(counts, block, strict=True)), *tail)
    which, within = range(first, first + 2 * axes, 2), range(first + 1, first + 2 * axes, 2)
    order = [*range(first), *which, *within, *range(first + 2 * axes, x.ndim)]
    return x.transpose(order).reshape(*head, *counts, math.prod(block) * tail[0], *tail[1:])
