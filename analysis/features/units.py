"""Units of a model: a channel (the mean over its positions), a neuron (one position) or a class.

Each is an objective of `analysis.features.ascent`: (images, look) → (N,), where `look` changes the
view of the images first.
"""

from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial

from analysis import execution
from analysis.layers import Layer
from analysis.numerics import entry_of
from convzoo.checks import is_integer

Position = tuple[int, int] | Literal["center"] | None


def as_they_are(images: jax.Array) -> jax.Array:
    """Images without any change of view."""
    return images


def unit(layer: Layer, position: Position, channels: jax.Array) -> Partial:
    """The activation of one unit an image.

    Args:
      layer: of `analysis.layers.find_layer`.
      position: None: the mean over all positions; `"center"`, or a row and a column.
      channels: (N,) integers.

    Returns:
      (images, look=as_they_are) → (N,).

    Raises:
      ValueError: a position outside the layer.
    """
    if position is None:
        return Partial(execution.Static(_channel), layer.activation, channels)
    extent = layer.height, layer.width
    at = tuple(size // 2 for size in extent) if position == "center" else position
    is_place = isinstance(at, tuple) and len(at) == 2 and all(map(is_integer, at))
    if not is_place or not all(0 <= entry < size for entry, size in zip(at, extent, strict=True)):
        raise ValueError(
            f"position={position!r}: expected None, 'center', or a row and a column of the "
            f"{layer.height}×{layer.width} positions of {layer.path!r}"
        )
    return Partial(execution.Static(_neuron), layer.activation, channels, jnp.asarray(at, jnp.int32))


def _channel(activation, channels, images, look=as_they_are):
    return entry_of(activation(look(images)).mean((1, 2)), channels)


def _neuron(activation, channels, position, images, look=as_they_are):
    row, column = position
    return entry_of(activation(look(images))[:, row, column], channels)


def channels_of(channels: Any, width: int, count: int | None) -> jax.Array:
    """One channel an image, as int32; one integer serves for `count` images.

    Args:
      channels: an integer, or (N,) integers in [0, width).
      width: number of channels.
      count: number of images; None: as many as channels.

    Raises:
      ValueError: wrong shape, not integers, or out of range.

    Example:
      >>> channels_of(3, 8, 2).tolist()
      [3, 3]
    """
    array = np.asarray(channels)
    array = np.full(1 if count is None else count, array) if array.ndim == 0 else array
    if array.ndim != 1 or not array.size or (count is not None and len(array) != count):
        images = "" if count is None else f" for {count} images"
        raise ValueError(f"channels of shape {array.shape}{images}: expected one an image")
    if not np.issubdtype(array.dtype, np.integer):
        raise ValueError(f"channels={channels!r}: expected integers in [0, {width})")
    wrong = array[(array < 0) | (array >= width)]
    if wrong.size:
        raise ValueError(f"there is no channel {wrong[0]} among {width}: expected 0 to {width - 1}")
    return jnp.asarray(array, jnp.int32)
