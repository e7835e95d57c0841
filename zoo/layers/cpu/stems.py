"""Stems of networks, which see images with strides: folded as patches are, for the values and the image gradient.

The native form takes 1.1 to 2.6 times as long forward, 1.4 to 1.8 times with both gradients.
"""

import math

from zoo.layers.native import Ints, Settings

COLOURS = 4  # channels of an image at most: a convolution of more of them fills the registers without folding
MOST_STRIDE = 2  # for the values: folded by more, the kernel grows by more zeros than blocks of pixels save
MOST_TAPS = 9  # of a kernel whose gradient in the images is as fast unfolded


def applies(images: Ints, kernel: Ints, settings: Settings) -> bool:
    """Whether images are seen with small strides."""
    return _stem(images, settings) and max(settings.strides) <= MOST_STRIDE


def large_applies(images: Ints, kernel: Ints, settings: Settings) -> bool:
    """Whether images are seen with strides through a kernel of many taps."""
    return _stem(images, settings) and math.prod(kernel[:-2]) > MOST_TAPS


def _stem(images: Ints, settings: Settings) -> bool:
    flat = len(images) == 4 and settings.groups == 1 and set(settings.dilation) == {1}
    return flat and images[-1] <= COLOURS and min(settings.strides) > 1
