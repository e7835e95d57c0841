"""Small pieces of arithmetic on logits and maps that the packages of analysis share."""

import jax
import jax.numpy as jnp

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
