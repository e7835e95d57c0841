"""Images in patches: their pixels become channels (space to depth).

The native form takes 1.6 to 1.8 times as long forward, 1.9 times with both gradients.
"""

import itertools
import math
import operator

import jax
from jax import lax

from zoo.layers.cpu import pointwise, taller
from zoo.layers.native import Ints, Settings, plain


def applies(images: Ints, kernel: Ints, settings: Settings) -> bool:
    """Whether the kernel sees patches that neither overlap nor leave a rest."""
    return (
        len(images) == 4
        and settings.groups == 1
        and set(settings.dilation) == {1}
        and kernel[:-2] == settings.strides
        and not settings.padded
        and not any(map(operator.mod, images[1:-1], settings.strides))
    )


def form(x: jax.Array, kernel: jax.Array, settings: Settings) -> jax.Array:
    """Compute a convolution without strides over blocks of `strides` pixels whose pixels have become channels.

    With kernels as large as the strides and nothing padded this is one matrix product over patches.
    """
    strides, padding = settings.strides, settings.padding
    spatial = range(1, x.ndim - 1)
    sizes = settings.sizes(x.shape[1:-1], kernel.shape[:-2])
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
    dense = plain(pairs)
    convolve = pointwise.form if pointwise.applies(x.shape, kernel.shape, dense) else taller.form
    return convolve(x, kernel, dense)


def _folded(x: jax.Array, counts: list[int], block: Ints, first: int) -> jax.Array:
    """Blocks along the axes from `first` on: those of pixels within one go before the first axis after them."""
    axes = len(block)
    head, tail = x.shape[:first], x.shape[first + axes :]
    x = x.reshape(*head, *itertools.chain(*zip(counts, block, strict=True)), *tail)
    which, within = range(first, first + 2 * axes, 2), range(first + 1, first + 2 * axes, 2)
    order = [*range(first), *which, *within, *range(first + 2 * axes, x.ndim)]
    return x.transpose(order).reshape(*head, *counts, math.prod(block) * tail[0], *tail[1:])
