"""A layer as a function of images, with whatever it returns brought to one form."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial

from analysis import checks, execution
from analysis.network import Network
from analysis.numerics import at_least_float32

Pool = Literal["max", "mean"]
POOLS = ("max", "mean")


@dataclasses.dataclass(frozen=True)
class Layer:
    """A layer that is known to exist.

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


def find_layer(
    model: nn.Module,
    variables: Any,
    images: Any,
    layer: str,
    preprocess: Callable[[jax.Array], jax.Array] | None = None,
    spatial: bool = False,
) -> Layer:
    """A layer of a model as a function of images; from shapes alone.

    Args:
      model: a Linen module.
      variables: its variables.
      images: (N, H, W, C), those to come, for their shape.
      layer: a path, or an ending that only one path has.
      preprocess: what stands between images and the model; None: nothing.
      spatial: whether it must have more than one pixel.

    Returns:
      The `Layer`. A layer that returns (N, ..., channels) is read as an image of as many pixels.

    Raises:
      ValueError: no such layer, or one whose activation is not an array of channels, or lacks spatial extent.

    Example:
      >>> model, images = nn.Sequential([nn.Conv(8, (3, 3)), nn.relu]), jnp.ones((1, 6, 6, 3))
      >>> found = find_layer(model, model.init(jax.random.key(0), images), images, "layers_0")
      >>> found.height, found.width, found.channels
      (6, 6, 8)
    """
    network = Network(model, variables, preprocess)
    one = jax.ShapeDtypeStruct((1, *images.shape[1:]), images.dtype)
    path = network.find(one, layer)
    form = network.layers(one)[path]
    if not isinstance(form, jax.ShapeDtypeStruct) or form.ndim < 2 or not jnp.issubdtype(form.dtype, jnp.floating):
        raise ValueError(f"layer {path!r} gives {checks.form(form)}: expected floats of shape (N, ..., channels)")
    if spatial:
        network.spatial_layer(images.shape[1:], path)
    height, width = form.shape[1:3] if form.ndim == 4 else (math.prod(form.shape[1:-1]), 1)
    return Layer(path, height, width, form.shape[-1], Partial(_activation, network, execution.Static(path)))


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
    checks.choice("pool", pool, POOLS)
    reduce = _largest if pool == "max" else _average
    return np.asarray(execution.in_batches(lambda images: reduce(layer.activation, images), batch_size, images))


@jax.jit
def _largest(activation: Partial, images: jax.Array) -> jax.Array:
    return activation(images).max((1, 2))


@jax.jit
def _average(activation: Partial, images: jax.Array) -> jax.Array:
    return activation(images).mean((1, 2))
