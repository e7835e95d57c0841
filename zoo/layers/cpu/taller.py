"""Ordinary convolutions without strides that the second of XLA's two libraries computes faster.

XLA hands a convolution to YNNPACK whenever that can take it, which it cannot where the output is taller than
the image. YNNPACK shares out tiles of 64 output channels by 64 columns among the cores: with one tile only one of
them works. Eigen shares out pixels. The form that XLA would choose takes 1.3 to 1.5 times as long forward, 1.4 to
1.6 times with both gradients.
"""

import jax
from jax import lax

from zoo.layers import native
from zoo.layers.native import Ints, Settings, plain

MANY_CHANNELS = 256  # with as many on both sides YNNPACK is as fast
LEAST_CHANNELS = 16  # with no more on both sides both libraries are bound by memory
SHORT, TALL = 7, 64  # rows: with fewer or more of them YNNPACK is as fast
TWO_TILES = 128  # outputs that fill an even number of tiles keep both cores at work
FEW_INPUTS = 64  # with fewer YNNPACK is slower even then


def applies(images: Ints, kernel: Ints, settings: Settings) -> bool:
    """Whether the output is computed faster as a part of one that is taller than the images."""
    *_, inputs, outputs = kernel
    return _moderate(images, kernel, settings) and (outputs % TWO_TILES > 0 or inputs < FEW_INPUTS)


def shorter_applies(images: Ints, kernel: Ints, settings: Settings) -> bool:
    """Whether the gradient in the images is."""
    *_, inputs, outputs = kernel
    return _moderate(images, kernel, settings) and (inputs % TWO_TILES > 0 or outputs < FEW_INPUTS)


def _moderate(images: Ints, kernel: Ints, settings: Settings) -> bool:
    if len(images) != 4 or settings != plain(settings.padding):
        return False
    few, most = sorted(kernel[-2:])
    rows, _ = settings.sizes(images[1:-1], kernel[:-2])
    return few < MANY_CHANNELS and most > LEAST_CHANNELS and all(SHORT <= n <= TALL for n in (rows, images[1]))


def form(x: jax.Array, kernel: jax.Array, settings: Settings) -> jax.Array:
    """Compute as many rows more at the bottom as make the output taller than the images, and cut them off."""
    rows, (before, after), *rest = settings.sizes(x.shape[1:-1], kernel.shape[:-2])[0], *settings.padding
    spare = max(0, x.shape[1] + 1 - rows)
    return native.convolve(x, kernel, plain(((before, after + spare), *rest)))[:, :rows]


def shorter_form(x: jax.Array, kernel: jax.Array, settings: Settings) -> jax.Array:
    """Compute from images with rows at the bottom that make them taller than the output.

    The adjoint, the gradient in the images, is then a convolution whose output is taller than its images.
    """
    rows, (before, after), *rest = settings.sizes(x.shape[1:-1], kernel.shape[:-2])[0], *settings.padding
    spare = max(0, rows + 1 - x.shape[1])
    x = lax.pad(x, x.dtype.type(0), [(0, spare if axis == 1 else 0, 0) for axis in range(x.ndim)])
    return native.convolve(x, kernel, plain(((before, after - spare), *rest)))
