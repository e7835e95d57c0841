"""Groups of several channels: merged into a few dense convolutions.

The native form takes 4 times as long forward, 170 to 190 times with both gradients.
"""

import jax
import jax.numpy as jnp

from zoo.layers import native
from zoo.layers.cpu import pointwise
from zoo.layers.native import Ints, Settings

LEAST_CHANNELS = 16  # of a merged group; with 4, 32 groups take twice as long forward and in the gradients
MOST_CONVOLUTIONS = 8  # with 32, each four channels wide, they compile in 7 s instead of 3


def applies(images: Ints, kernel: Ints, settings: Settings) -> bool:
    """Whether there are groups, of several channels each."""
    return settings.groups > 1 and kernel[-2] > 1


def form(x: jax.Array, kernel: jax.Array, settings: Settings) -> jax.Array:
    """Compute one dense convolution with a block-diagonal kernel after another, and concatenate their outputs."""
    groups, (*kernel_size, inputs, outputs) = settings.groups, kernel.shape
    merge = max(-(-LEAST_CHANNELS // inputs), -(-groups // MOST_CONVOLUTIONS))
    kernel = kernel.reshape(*kernel_size, inputs, groups, outputs // groups)
    dense = Settings(settings.strides, settings.padding, settings.dilation)
    results = []
    for first in range(0, groups, merge):
        count = min(merge, groups - first)
        part = kernel[..., first : first + count, :]
        diagonal = jnp.eye(count, dtype=kernel.dtype).reshape((1,) * len(kernel_size) + (count, 1, count, 1))
        block = jnp.moveaxis(part, -2, -3)[..., None, :] * diagonal
        block = block.reshape(*kernel_size, count * inputs, count * (outputs // groups))
        pixels = x[..., first * inputs : (first + count) * inputs]
        convolve = pointwise.form if pointwise.applies(pixels.shape, block.shape, dense) else native.convolve
        results.append(convolve(pixels, block, dense))
    return jnp.concatenate(results, axis=-1)
