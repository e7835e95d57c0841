"""Kernel gradients of ordinary convolutions as matrix products, one for each row of the kernel.

The native gradient takes, in processor time on two x86 cores with AVX-512, this many times as long at 8, 32 and 64
images; with AVX2 alone the ratios are similar:

| 3×3 | 8 | 32 | 64 |
|---|---|---|---|
| 56², 64→64 | 1.7 | 1.9 | 2.5 |
| 28², 128→128 | 2.2 | 2.1 | 2.2 |
| 14², 256→256 | 1.0 | 1.5 | 2.6 |
| 56² in strides of 2, 64→128 | 2.0 | | 2.1 |
| 28² in strides of 2, 128→256 | 1.1 | | 2.7 |

From 32 images of 56² on the native one keeps one core alone at work besides: it takes 4 to 5 times as long.
"""

import functools
import math

import jax
import jax.numpy as jnp
from jax import lax

from zoo.layers.native import Ints, Settings, accumulator, windows

LEAST_WORK = 1 << 26  # multiply-adds of a tap: with half as many the native gradient takes 0.5 to 1.9 times as long
LEAST_CHANNELS = 16  # on each side: with the 3 of an image the native gradient takes 0.4 to 1.3 times as long
LEAST_ROWS = 8  # without strides: with 7, and 512 channels, the native gradient takes 0.8 to 1.0 times as long
MOST_BYTES = 32 << 20  # of shifted copies at once: larger pieces of a batch are no faster


def applies(images: Ints, kernel: Ints, settings: Settings) -> bool:
    """Whether a convolution of images in one group is large enough, in channels, rows and all."""
    if len(images) != 4 or settings.groups > 1 or min(kernel[2:]) < LEAST_CHANNELS:
        return False
    rows, columns = settings.sizes(images[1:3], kernel[:2])
    tall = rows >= LEAST_ROWS or set(settings.strides) != {1}
    return tall and images[0] * rows * columns * kernel[2] * kernel[3] >= LEAST_WORK


def form(x: jax.Array, kernel: jax.Array, settings: Settings) -> jax.Array:
    """Compute the convolution such that its adjoint in the kernel consists of matrix products.

    The images go piece by piece in a loop: XLA holds the copies of an unrolled one all at once.
    """
    compute = _rows if set(settings.strides) == {1} else _columns

    # Without the checkpoint, copies of the images that the gradient reads would be kept from the forward pass on.
    @functools.partial(jax.checkpoint, prevent_cse=False)
    def piece(x: jax.Array, kernel: jax.Array) -> jax.Array:
        return compute(x, kernel, settings)

    count = _pieces(x.shape, kernel.shape, settings)
    if count == 1:
        return piece(x, kernel)
    y = lax.map(lambda x: piece(x, kernel), x.reshape(count, -1, *x.shape[1:]))
    return y.reshape(-1, *y.shape[2:])


def _pieces(images: Ints, kernel: Ints, settings: Settings) -> int:
    """The number of equal pieces of the batch, by the size of single-precision copies."""
    pixels = images[0] * math.prod(settings.sizes(images[1:3], kernel[:2]))
    channels = max(kernel[2:]) if set(settings.strides) == {1} else kernel[2]
    least = -(-4 * pixels * channels * kernel[1] // MOST_BYTES)
    return next((count for count in range(least, images[0]) if images[0] % count == 0), images[0])


def _rows(x: jax.Array, kernel: jax.Array, settings: Settings) -> jax.Array:
    """Without strides: for each row of the kernel one product with all its columns, whose results are shifted.

    In the adjoint the shifted copies of the output gradient lie side by side as channels.
    """
    width, inputs, outputs = kernel.shape[1:]
    rows, columns = settings.sizes(x.shape[1:3], kernel.shape[:2])
    down, right = settings.dilation
    padded = jnp.pad(x, ((0, 0), *settings.padding, (0, 0)))
    wide = padded.shape[2]
    products = [
        _product(padded[:, row * down : row * down + rows], taps.swapaxes(0, 1).reshape(inputs, -1))
        for row, taps in enumerate(kernel)
    ]
    total = functools.reduce(jnp.add, products).reshape(-1, rows, wide, width, outputs)
    shifted = (total[:, :, tap * right : tap * right + columns, tap] for tap in range(width))
    return functools.reduce(jnp.add, shifted).astype(x.dtype)


def _columns(x: jax.Array, kernel: jax.Array, settings: Settings) -> jax.Array:
    """With strides: for each row of the kernel one product of the pixels that its taps read, side by side."""
    (height, width), outputs = kernel.shape[:2], kernel.shape[-1]
    pixels = list(windows(x, (height, width), settings.strides, settings.padding, settings.dilation))
    products = [
        _product(jnp.concatenate(pixels[row * width : (row + 1) * width], -1), taps.reshape(-1, outputs))
        for row, taps in enumerate(kernel)
    ]
    return functools.reduce(jnp.add, products).astype(x.dtype)


def _product(pixels: jax.Array, taps: jax.Array) -> jax.Array:
    """(…, C) by (C, K) → (…, K)."""
    flat = pixels.reshape(-1, taps.shape[0])
    product = lax.dot(flat, taps, preferred_element_type=accumulator(pixels.dtype))
    return product.reshape(*pixels.shape[:-1], -1)
