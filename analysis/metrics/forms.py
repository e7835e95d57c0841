"""Checks of maps and masks, before anything is compiled."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from analysis import checks
from analysis.numerics import at_least_float32


def as_maps(maps: Any, shape: Sequence[int] | None = None, name: str = "maps") -> jax.Array:
    """Attribution maps as an array of at least float32.

    Args:
      maps: (N, H, W).
      shape: what it must be; None: any (N, H, W) without a zero.
      name: what they are called in the error.

    Raises:
      ValueError: another shape or type, NaN or infinity.

    Example:
      >>> as_maps([[[1, 2]]], (1, 2, 2))
      Traceback (most recent call last):
      ValueError: maps of shape (1, 1, 2): expected (1, 2, 2)
    """
    array = maps if isinstance(maps, jax.Array) else np.asarray(maps)
    if array.ndim != 3 or 0 in array.shape or (shape is not None and array.shape != tuple(shape)):
        hint = "; reduce the channels first" if array.ndim == 4 and (shape is None or array.shape[:3] == shape) else ""
        expected = "(N, H, W), none of them zero" if shape is None else tuple(shape)
        raise ValueError(f"{name} of shape {array.shape}: expected {expected}{hint}")
    return as_finite(array, name)


def as_finite(array: Any, name: str) -> jax.Array:
    """Real numbers of at least float32, none of them NaN or infinite.

    Raises:
      ValueError: other than that.

    Example:
      >>> as_finite(np.array([1, 2]), "maps").dtype.name
      'float32'
    """
    if not jnp.issubdtype(array.dtype, jnp.floating) and not jnp.issubdtype(array.dtype, jnp.integer):
        raise ValueError(f"{name} of type {array.dtype}: expected real numbers")
    if not jnp.issubdtype(array.dtype, jnp.floating):
        array = array.astype(np.float32)
    array = at_least_float32(jnp.asarray(array))
    if checks.is_concrete(array) and not np.isfinite(np.asarray(array)).all():
        raise ValueError(f"{name} hold NaN or infinity: expected finite numbers")
    return array


def as_masks(masks: Any, shape: Sequence[int], name: str = "masks") -> jax.Array:
    """One region an image, as booleans.

    Args:
      masks: (N, H, W), or (H, W) for a region that is the same in every image.
      shape: (N, H, W).
      name: what they are called in the error.

    Raises:
      ValueError: another shape, not booleans, or an image without a region.

    Example:
      >>> as_masks([[0, 1]], (1, 1, 2))
      Traceback (most recent call last):
      ValueError: masks of type int64: expected booleans, such as masks > 0
    """
    array = masks if isinstance(masks, jax.Array) else np.asarray(masks)
    if array.shape not in (tuple(shape), tuple(shape[1:])):
        raise ValueError(f"{name} of shape {array.shape}: expected {tuple(shape)}, or {tuple(shape[1:])} for all")
    if array.dtype != bool:
        raise ValueError(f"{name} of type {array.dtype}: expected booleans, such as {name} > 0")
    library = np if isinstance(array, np.ndarray) else jnp
    array = jnp.asarray(library.broadcast_to(array.reshape((-1, *shape[1:])), tuple(shape)))
    if checks.is_concrete(array):
        empty = np.flatnonzero(~np.asarray(array).any((1, 2)))
        if empty.size:
            raise ValueError(f"{name}[{empty[0]}] is empty: expected at least one pixel; leave such images out")
    return array
