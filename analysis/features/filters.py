"""Filter maps: the pixels of an image that a filter responds to, by the channels that excite it.

It is Grad-CAM (Selvaraju et al., 2016, arXiv:1610.02391) with the mean activation of a filter as the score.
"""

import functools
from collections.abc import Callable
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from analysis import checks, execution
from analysis.features.units import channels_of
from analysis.network import Network
from analysis.numerics import RESIZE, at_least_float32, entry_of, resized
from convzoo.checks import choice


def filter_map(
    model: nn.Module,
    variables: Any,
    images: Any,
    layer: str,
    channels: Any,
    source: str | None = None,
    preprocess: Callable[[jax.Array], jax.Array] | None = None,
    resize: Literal["bilinear", "nearest"] | None = "bilinear",
    batch_size: int | None = None,
) -> jax.Array:
    r"""The mean activation of a filter, its gradients pooled, and the activation weighted by them.

    .. math:: s = \frac{1}{hw} \sum_{ij} A_{ijk}, \qquad
              \alpha_c = \frac{1}{h'w'} \sum_{ij} \frac{\partial s}{\partial B_{ijc}}, \qquad
              M = \sum_c \alpha_c B_c

    A is the output of `layer`, B that of `source`. Where both are the same layer, M is the filter's own
    activation, A_k / hw.

    Args:
      model: any Linen module from images.
      variables: its variables.
      images: (N, H, W, C) floats in [0, 1].
      layer: the filter's, by path or by an ending that only one path has (`analysis.taps`).
      channels: k, one an image; one integer serves for all.
      source: the layer whose channels are weighted, not later than `layer`; None: `layer` itself.
      preprocess: a function from images to the input of the model; None: the images themselves.
      resize: how the map is brought to the size of the images; None: leave it at the source's.
      batch_size: images held at once; None: all.

    Returns:
      (N, H, W), or (N, h', w') for `resize=None`; raw and signed, in float32.

    Raises:
      ValueError: images, channels or choices that are not of the above; a layer that is unknown, ambiguous or
        without spatial extent; a source that comes later than the layer.

    Example:
      >>> model = nn.Conv(1, (1, 1))
      >>> net = nn.Sequential([model])
      >>> variables = {"params": {"layers_0": {"kernel": jnp.full((1, 1, 1, 1), 2.0), "bias": jnp.zeros(1)}}}
      >>> filter_map(net, variables, jnp.array([[[[0.0], [1.0]]]]), "layers_0", 0).tolist()
      [[[0.0, 1.0]]]
    """
    choice("resize", resize, RESIZE)
    images = checks.as_images(images)
    network, shape = Network(model, variables, preprocess), images.shape[1:]
    checks.finite(network)
    path = network.spatial_layer(shape, layer)
    source = path if source is None else network.spatial_layer(shape, source)
    forms = network.layers(images)
    order = [*forms]
    # A module that holds the layer ends after it.
    if order.index(source) > order.index(path) or path.startswith(f"{source}/"):
        raise ValueError(f"source {source!r} is computed after layer {path!r}, which does not depend on it")
    channels = channels_of(channels, forms[path].shape[-1], len(images))
    return execution.in_batches(
        lambda images, channels: _filter_map(network, jnp.asarray(images), channels, path, source, resize),
        batch_size,
        images,
        channels,
    )


@functools.partial(jax.jit, static_argnames=("layer", "source", "resize"))
def _filter_map(network, images, channels, layer, source, resize):
    def score(logits, activations):
        return entry_of(at_least_float32(activations[layer]).mean((1, 2)), channels).sum()

    gradient, activation = network.gradient(images, source, score, {layer})
    weights = at_least_float32(gradient).mean((1, 2), keepdims=True)
    maps = (weights * at_least_float32(activation)).sum(-1)
    return resized(maps, images.shape, resize)
