"""Layers as functions of images, whose activations are brought to one form, (N, height, width, channels)."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial

from analysis import checks, execution
from analysis.network import Network
from analysis.numerics import at_least_float32
from convzoo.checks import choice

Pool = Literal["max", "mean"]
POOLS = ("max", "mean")


@dataclasses.dataclass(frozen=True)
class Layer:
    """One layer of a network.

    Attributes:
      path: its whole path.
      height, width, channels: of its activation; 1×1 pixel where it has no spatial extent.
      activation: (N, H, W, C) images → (N, height, width, channels) in float32, for `analysis.execution.call`.
    """

    path: str
    height: int
    width: int
    channels: int
    activation: Partial


def find_layer(network: Network, images: Any, layer: str | None, spatial: bool = False) -> Layer:
    """A layer of a network as a function of images; from shapes alone.

    Args:
      network: the model with its variables and preprocessing.
      images: (N, H, W, C), those to come, or their shape and dtype.
      layer: a path, or an ending that only one path has; None: the model's output, whose channels are the classes.
      spatial: whether it must have more than one pixel.

    Returns:
      The `Layer`. A layer that returns (N, ..., channels) is read as an image of as many pixels.

    Raises:
      ValueError: no such layer, or one whose activation is not an array of channels, or lacks spatial extent; or
        parameters that are not finite.

    Example:
      >>> import flax.linen as nn
      >>> model, images = nn.Sequential([nn.Conv(8, (3, 3)), nn.relu]), jnp.ones((1, 6, 6, 3))
      >>> layer = find_layer(Network(model, model.init(jax.random.key(0), images)), images, "layers_0")
      >>> layer.height, layer.width, layer.channels
      (6, 6, 8)
    """
    checks.finite(network)
    one = jax.ShapeDtypeStruct((1, *images.shape[1:]), images.dtype)
    if layer is None:
        name, form = "the model", jax.eval_shape(execution.call, network.logits_fn, one)
    else:
        path = network.find(one, layer)
        name, form = f"layer {path!r}", network.layers(one)[path]
    if not isinstance(form, jax.ShapeDtypeStruct) or form.ndim < 2 or not jnp.issubdtype(form.dtype, jnp.floating):
        raise ValueError(f"{name} gives {checks.form(form)}: expected floats of shape (N, ..., channels)")
    height, width = form.shape[1:3] if form.ndim == 4 else (math.prod(form.shape[1:-1]), 1)
    if layer is None:
        return Layer("output", height, width, form.shape[-1], Partial(_output, network))
    if spatial:
        network.spatial_layer(images.shape[1:], path)
    return Layer(path, height, width, form.shape[-1], Partial(_activation, network, execution.Static(path)))


def _output(network: Network, images: jax.Array) -> jax.Array:
    return as_maps(network.logits_fn(images))


def _activation(network: Network, path: execution.Static, images: jax.Array) -> jax.Array:
    return as_maps(network.read(images, path.value))


def as_maps(output: jax.Array) -> jax.Array:
    """(N, ..., channels) as (N, height, width, channels) in at least float32: itself, or a column of pixels.

    Example:
      >>> as_maps(jnp.ones((2, 5))).shape
      (2, 1, 1, 5)
    """
    output = at_least_float32(output)
    return output if output.ndim == 4 else output.reshape(output.shape[0], -1, 1, output.shape[-1])


def pooled(layer: Layer, images: Any, pool: Pool = "mean", batch_size: int | None = 128) -> np.ndarray:
    """One number an image and channel: what a layer's pixels come to.

    It takes as much memory as an image with as many numbers as the layer has channels, for each image.

    Args:
      layer: of `find_layer`.
      images: (N, H, W, C) floats in [0, 1].
      pool: `"max"` or `"mean"` over the pixels.
      batch_size: images held at once; None: all.

    Returns:
      (N, channels).

    Raises:
      ValueError: another pool.
    """
    choice("pool", pool, POOLS)
    reduce = _largest if pool == "max" else _average
    return np.asarray(execution.in_batches(lambda images: reduce(layer.activation, images), batch_size, images))


@jax.jit
def _largest(activation: Partial, images: jax.Array) -> jax.Array:
    return activation(images).max((1, 2))


@jax.jit
def _average(activation: Partial, images: jax.Array) -> jax.Array:
    return activation(images).mean((1, 2))


def as_channels(channels: int | Sequence[int] | None, layer: Layer) -> np.ndarray:
    """Numbers of channels that a layer has.

    Args:
      channels: one channel or several; None: all.
      layer: of `find_layer`.

    Returns:
      (K,) integers.

    Raises:
      ValueError: a channel that it does not have, or no channel at all.
    """
    chosen = np.arange(layer.channels) if channels is None else np.atleast_1d(np.asarray(channels))
    expected = f"expected integers from 0 to {layer.channels - 1}, the channels of {layer.path!r}"
    if chosen.ndim != 1 or not chosen.size or not np.issubdtype(chosen.dtype, np.integer):
        raise ValueError(f"channels={channels!r}: {expected}")
    wrong = chosen[(chosen < 0) | (chosen >= layer.channels)]
    if wrong.size:
        raise ValueError(f"channel {wrong[0]}: {expected}")
    return chosen
