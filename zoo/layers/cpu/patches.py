"""Images in patches that neither overlap nor leave a rest: one matrix product over all patches.

The native form takes 1.6 to 1.8 times as long forward, 1.9 times with both gradients.
"""

import itertools
import math
import operator

import jax

from zoo.layers.cpu import pointwise
from zoo.layers.native import Ints, Settings, plain


def applies(images: Ints, kernel: Ints, settings: Settings) -> bool:
    """Whether the kernel is as large as its strides and the images are cut without padding or rest."""
    return (
        len(images) == 4
        and settings.groups == 1
        and set(settings.dilation) == {1}
        and kernel[:-2] == settings.strides
        and not settings.padded
        and not any(map(operator.mod, images[1:-1], settings.strides))
    )


def form(x: jax.Array, kernel: jax.Array, settings: Settings) -> jax.Array:
    """Compute a 1×1 convolution of patches whose pixels have become channels (space to depth)."""
    patch, (*_, inputs, outputs) = kernel.shape[:-2], kernel.shape
    counts = [n // k for n, k in zip(x.shape[1:-1], patch, strict=True)]
    channels = math.prod(patch) * inputs
    x = x.reshape(x.shape[0], *itertools.chain(*zip(counts, patch, strict=True)), inputs)
    axes = range(1, x.ndim - 1)
    pixels = x.transpose(0, *axes[::2], *axes[1::2], x.ndim - 1).reshape(-1, *counts, channels)
    return pointwise.form(pixels, kernel.reshape(*(1,) * len(patch), channels, outputs), plain(((0, 0),) * len(patch)))
