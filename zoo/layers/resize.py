"""Resampling of maps by interpolation."""

from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

from zoo.layers.arithmetic import Sizes, per_axis


def resize(x: jax.Array, sizes: Sizes, method: Literal["nearest", "bilinear"] = "bilinear") -> jax.Array:
    r"""Resample images so that their corners meet, without antialiasing, as dense prediction does.

    Output pixel i of S, of n input pixels, reads at :math:`(i + 1/2)\, n / S - 1/2`, held inside the
    image (PyTorch's `align_corners=False`); `"nearest"` takes pixel :math:`\lfloor i n / S \rfloor`.

    Args:
      x: (N, H, W, C).
      sizes: (height, width) wanted; an integer for a square.
      method: `"bilinear"` or `"nearest"`.

    Returns:
      (N, *sizes, C).

    Raises:
      ValueError: an unknown method, or sizes that are not positive.

    Example:
      >>> resize(jnp.array([0.0, 4.0]).reshape(1, 1, 2, 1), (1, 4)).ravel().tolist()
      [0.0, 1.0, 3.0, 4.0]
    """
    if method not in ("nearest", "bilinear"):
        raise ValueError(f"method={method!r} is unknown: give 'nearest' or 'bilinear'")
    for axis, size in enumerate(per_axis(sizes, 2, "sizes"), start=1):
        have = x.shape[axis]
        if size == have:
            continue
        if method == "nearest":
            x = _take(x, np.arange(size) * have // size, axis)
            continue
        source = np.clip((np.arange(size) + 0.5) * have / size - 0.5, 0, have - 1)
        low = source.astype(int)
        share = np.expand_dims(source - low, [other for other in range(x.ndim) if other != axis])
        above = _take(x, np.minimum(low + 1, have - 1), axis)
        x = _take(x, low, axis) * (1 - share).astype(x.dtype) + above * share.astype(x.dtype)
    return x


def _take(x: jax.Array, index: np.ndarray, axis: int) -> jax.Array:
    # Rows are read, not multiplied by a matrix of mostly zeros: four times faster on CPU, and no arithmetic counted.
    return jnp.take(x, index, axis=axis, indices_are_sorted=True, mode="clip")


def pad_to_multiple(x: jax.Array, multiple: int) -> jax.Array:
    """Pad with zeros below and on the right until both sizes are multiples.

    Args:
      x: (N, H, W, C).
      multiple: what the sizes shall be multiples of, in pixels.

    Returns:
      (N, H', W', C), with x in the upper left.

    Example:
      >>> pad_to_multiple(jnp.ones((1, 50, 64, 3)), 32).shape
      (1, 64, 64, 3)
    """
    return jnp.pad(x, ((0, 0), (0, -x.shape[1] % multiple), (0, -x.shape[2] % multiple), (0, 0)))
