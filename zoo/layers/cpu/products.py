"""Kernel gradients of ordinary convolutions as matrix products, all taps in one.

From half a million numbers on, XLA's own gradient leaves the cache and in part keeps one core alone at work. It takes
this many times as long at 4, 8, 32, 64 and 128 images, on two x86 cores with nothing else running; with AVX2 alone the
ratios are the same to a tenth:

| 3×3 | 4 | 8 | 32 | 64 | 128 |
|---|---|---|---|---|---|
| 112², 64→64 | | 2.1 | | | |
| 56², 64→64 | 1.9 | 2.2 | 2.9 | | |
| 28², 128→128 | | 2.3 | 2.9 | | |
| 28², 64→64 | | | 2.9 | | |
| 14², 256→256 | | | 1.5 | | |
| 32², 16→16 | | | | 2.5 | 2.7 |
| 16², 32→32 | | | | 1.7 | 2.4 |
| 16², 64→64 | | | | 2.8 | |
| 8², 64→64 | | | | | 1.4 |
| 56² in strides of 2, 64→128 | | 1.9 | 2.4 | | |
| 28² in strides of 2, 128→256 | | | 1.8 | | |
"""

import functools
import math

import jax
import jax.numpy as jnp
from jax import lax

from zoo.layers.native import Ints, Settings, accumulator, windows

LEAST_NUMBERS = 1 << 19  # in the images and in the output: below, the native gradient takes 0.7 to 1.1 times as long
LEAST_CHANNELS = 16  # on each side: with the 3 of an image the native gradient takes 0.4 to 1.3 times as long
LEAST_ROWS = 8  # without strides: with 7, and 512 channels, the native gradient takes 0.7 times as long
LEAST_BYTES, MOST_BYTES = 1 << 20, 32 << 20  # of the copies of a piece: they stay in the cache, and memory is bounded
PIECES = 16  # of a batch, unless these hold more than `MOST_BYTES`: with twice as many each is too small for two cores


def applies(images: Ints, kernel: Ints, settings: Settings) -> bool:
    """Whether a convolution of images in one group is large enough, in channels, rows and all."""
    if len(images) != 4 or settings.groups > 1 or min(kernel[2:]) < LEAST_CHANNELS:
        return False
    rows, columns = settings.sizes(images[1:3], kernel[:2])
    tall = rows >= LEAST_ROWS or set(settings.strides) != {1}
    return tall and min(math.prod(images), images[0] * rows * columns * kernel[3]) >= LEAST_NUMBERS


def form(x: jax.Array, kernel: jax.Array, settings: Settings) -> jax.Array:
    """Compute the convolution such that its adjoint in the kernel consists of matrix products.

    The images go piece by piece in a loop: XLA holds the copies of an unrolled one all at once.
    """
    compute = _cross if set(settings.strides) == {1} else _columns

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
    copies = 4 * pixels * channels * kernel[1]
    most = min(max(PIECES, copies // MOST_BYTES), copies // LEAST_BYTES)
    return max(count for count in range(1, max(most, 1) + 1) if images[0] % count == 0)


def _cross(x: jax.Array, kernel: jax.Array, settings: Settings) -> jax.Array:
    """Without strides: one product of the pixels that a column of the kernel reads with all columns.

    Its results are shifted and added up. In the adjoint, the output gradient's shifted copies lie side by side as
    channels, as the rows of pixels do, and one product gives all taps.
    """
    height, width, inputs, outputs = kernel.shape
    rows, columns = settings.sizes(x.shape[1:3], kernel.shape[:2])
    down, right = settings.dilation
    padded = jnp.pad(x, ((0, 0), *settings.padding, (0, 0)))
    pixels = jnp.concatenate([padded[:, row * down : row * down + rows] for row in range(height)], -1)
    product = _product(pixels, kernel.transpose(0, 2, 1, 3).reshape(height * inputs, width * outputs))
    parts = lax.split(product, [outputs] * width, axis=3)
    shifted = (part[:, :, tap * right : tap * right + columns] for tap, part in enumerate(parts))
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
