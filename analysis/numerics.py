"""Small pieces of arithmetic on logits, maps and shares that the packages of analysis share."""

import math

import jax
import jax.numpy as jnp

Z = 1.959964
"""The normal quantile of a two-sided interval of 95 %."""
RESIZE = ("bilinear", "nearest", None)
"""Ways to bring a layer's maps to the size of the images; None leaves them."""


def at_least_float32(x: jax.Array) -> jax.Array:
    """Widen half-precision numbers, in which sums and differences of scores would drown.

    Example:
      >>> at_least_float32(jnp.ones(1, jnp.bfloat16)).dtype.name
      'float32'
    """
    return x.astype(jnp.float32) if x.dtype.itemsize < 4 else x


def entry_of(logits: jax.Array, classes: jax.Array) -> jax.Array:
    """One entry of each row: (N, K) and (N,) integers below K → (N,).

    Example:
      >>> entry_of(jnp.array([[1.0, 2.0], [3.0, 4.0]]), jnp.array([1, 0])).tolist()
      [2.0, 3.0]
    """
    return jnp.take_along_axis(logits, classes[:, None], axis=1)[:, 0]


def resized(maps: jax.Array, image_shape: tuple[int, ...], resize: str | None) -> jax.Array:
    """Maps of a layer at the size of the images.

    Args:
      maps: (N, h, w).
      image_shape: (N, H, W, ...).
      resize: of `RESIZE`.

    Returns:
      (N, H, W), or `maps` for None.

    Example:
      >>> resized(jnp.ones((2, 3, 4)), (2, 6, 8, 3), "nearest").shape
      (2, 6, 8)
    """
    return maps if resize is None else jax.image.resize(maps, image_shape[:3], resize)


def wilson(share: float, count: int) -> tuple[float, float]:
    r"""Wilson's 95 % interval of a share of `count` cases.

    .. math:: \frac{p + z^2 / 2n \pm z \sqrt{p (1 - p) / n + z^2 / 4n^2}}{1 + z^2 / n}, \qquad z = 1.96

    Args:
      share: p, in [0, 1].
      count: n, at least 1.

    Returns:
      Its ends, in [0, 1].

    Example:
      >>> [round(end, 2) for end in wilson(0.69, 100)]
      [0.59, 0.77]
    """
    centre = (share + Z**2 / (2 * count)) / (1 + Z**2 / count)
    half = Z / (1 + Z**2 / count) * math.sqrt(share * (1 - share) / count + (Z / (2 * count)) ** 2)
    # At 0 and 1 rounding would leave [0, 1].
    return max(0.0, centre - half), min(1.0, centre + half)
