"""What to look at inside a model: a channel (the mean over its positions), a neuron (one position) or a class.

Each is an objective of `analysis.visualize.ascent`: (images, look) → (N,), where `look` shows images as the model is
to see them.
"""

from collections.abc import Callable
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial

from analysis import checks, execution, taps
from analysis.numerics import entry_of
from analysis.visualize.layer import Layer, as_maps, find_layer

Position = tuple[int, int] | Literal["center"] | None


def output_or_layer(
    model: nn.Module,
    variables: Any,
    shape: tuple[int, ...],
    layer: str | None,
    preprocess: Callable[[jax.Array], jax.Array] | None,
) -> Layer:
    """A layer, or for None the model's output as one, whose channels are the classes.

    Args:
      model: a Linen module.
      variables: its variables.
      shape: (H, W, C) of the images to come.
      layer: a path, an ending that only one path has, or None.
      preprocess: what stands between images and the model; None: nothing.

    Returns:
      The `analysis.visualize.layer.Layer`.

    Raises:
      ValueError: as in `find_layer`.

    Example:
      >>> model, images = nn.Sequential([nn.Conv(8, (3, 3)), nn.relu]), jnp.ones((1, 6, 6, 3))
      >>> found = output_or_layer(model, model.init(jax.random.key(0), images), (6, 6, 3), None, None)
      >>> found.height, found.width, found.channels
      (6, 6, 8)
    """
    one = jax.ShapeDtypeStruct((1, *shape), jnp.float32)
    if layer is not None:
        return find_layer(model, variables, one, layer, preprocess)
    activation = Partial(execution.Static(_output), taps.logits_fn(model, variables, preprocess))
    _, height, width, channels = jax.eval_shape(execution.call, activation, one).shape
    return Layer("output", height, width, channels, activation)


def _output(function: Partial, images: jax.Array) -> jax.Array:
    output = function(images)
    if not isinstance(output, jax.Array) or output.ndim < 2 or not jnp.issubdtype(output.dtype, jnp.floating):
        raise ValueError(f"the model gives {checks.form(output)}: expected floats of shape (N, ..., channels)")
    return as_maps(output)


def as_they_are(images: jax.Array) -> jax.Array:
    """Images without any change of view."""
    return images


def unit(layer: Layer, position: Position, channels: jax.Array) -> Partial:
    """The activation of one unit an image.

    Args:
      layer: of `output_or_layer`.
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
    known = isinstance(at, tuple) and len(at) == 2 and all(isinstance(entry, int | np.integer) for entry in at)
    if not known or not all(0 <= entry < size for entry, size in zip(at, extent, strict=True)):
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
