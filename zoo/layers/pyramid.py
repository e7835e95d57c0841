"""Image pyramids, and exchange of spatial size for channels."""

import jax

from convzoo.checks import integer
from zoo.layers.pooling import blur_pool


def image_pyramid(x: jax.Array, levels: int, window: int = 5) -> tuple[jax.Array, ...]:
    """Build an image pyramid of full, half, quarter, … size, blurred before each halving.

    One filter applied to all levels finds its pattern at all these scales.

    Args:
      x: (N, H, W, C).
      levels: number of images, the given one included.
      window: size of the binomial blur, as in `blur_pool`.

    Returns:
      `levels` arrays; the l-th (from 0) is (N, ceil(H / 2^l), ceil(W / 2^l), C).

    Raises:
      ValueError: no level, or an image too small for so many.

    Example:
      >>> [level.shape for level in image_pyramid(jax.numpy.ones((1, 32, 24, 3)), 3)]
      [(1, 32, 24, 3), (1, 16, 12, 3), (1, 8, 6, 3)]

    Reference: Burt & Adelson, 1983, doi:10.1109/TCOM.1983.1095851.
    """
    integer("levels", levels)
    pyramid = [x]
    for level in range(1, levels):
        if x.ndim == 4 and min(pyramid[-1].shape[1:3]) <= window // 2:
            raise ValueError(
                f"levels={levels}: level {level} of an image of shape {x.shape} has {pyramid[-1].shape[1:3]} pixels, "
                f"too few for a blur of {window}: use at most {level}"
            )
        pyramid.append(blur_pool(pyramid[-1], window))
    return tuple(pyramid)


def space_to_depth(x: jax.Array, block: int = 2) -> jax.Array:
    """Rearrange blocks of pixels into channels: half the sides, four times the channels.

    Args:
      x: (..., H, W, C), H and W multiples of `block`.
      block: side of the squares of pixels that become channels.

    Returns:
      (..., H / block, W / block, block² · C); a square's pixels row by row.

    Raises:
      ValueError: a block that does not divide the image.

    Example:
      >>> space_to_depth(jax.numpy.ones((4, 4, 1))).shape
      (2, 2, 4)
    """
    integer("block", block)
    if x.ndim < 3 or x.shape[-3] % block or x.shape[-2] % block:
        raise ValueError(f"an input of shape {x.shape}: expected (..., H, W, C) with H and W multiples of {block}")
    *batch, height, width, channels = x.shape
    x = x.reshape(*batch, height // block, block, width // block, block, channels).swapaxes(-4, -3)
    return x.reshape(*batch, height // block, width // block, block * block * channels)


def depth_to_space(x: jax.Array, block: int = 2) -> jax.Array:
    """The inverse of `space_to_depth`: channels laid out as pixels.

    Args:
      x: (..., H, W, block² · C).
      block: side of the squares of pixels that channels become.

    Returns:
      (..., H · block, W · block, C).

    Raises:
      ValueError: channels that are no multiple of block².

    Example:
      >>> depth_to_space(jax.numpy.ones((2, 2, 4))).shape
      (4, 4, 1)
    """
    integer("block", block)
    if x.ndim < 3 or x.shape[-1] % block**2:
        raise ValueError(f"an input of shape {x.shape}: expected (..., H, W, C) with C a multiple of {block**2}")
    *batch, height, width, channels = x.shape
    x = x.reshape(*batch, height, width, block, block, channels // block**2).swapaxes(-4, -3)
    return x.reshape(*batch, height * block, width * block, channels // block**2)
