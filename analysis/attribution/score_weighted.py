"""Score-CAM: the channels of a layer, weighted by the score of the image seen through each.

Reference: Wang, Wang, Du, Yang, Zhang, Ding, Mardziel & Hu, 2019, arXiv:1910.01279.
"""

import functools
from collections.abc import Callable
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from analysis import checks, execution
from analysis.network import Network
from analysis.numerics import RESIZE, at_least_float32, resized
from analysis.scores import Score, check_score, score_of
from convzoo.checks import choice


def score_cam(
    model: nn.Module,
    variables: Any,
    images: Any,
    labels: Any,
    layer: str | None = None,
    preprocess: Callable[[jax.Array], jax.Array] | None = None,
    score: Score = "logit",
    relu: bool = True,
    resize: Literal["bilinear", "nearest"] | None = "bilinear",
    batch_size: int | None = 32,
) -> jax.Array:
    r"""Class activation mapping without gradients.

    .. math:: M = \mathrm{relu}\Big( \sum_k \alpha_k A_k \Big), \qquad
              \alpha = \mathrm{softmax}_k\, S_y(x \odot H_k), \qquad
              H_k = \frac{\uparrow A_k - \min \uparrow A_k}{\max \uparrow A_k - \min \uparrow A_k}

    with ↑ the bilinear resize to the image. A channel that is the same everywhere hides all.
    What is masked is what the model takes, after `preprocess`, so that hidden pixels are its zeros. One forward
    pass a channel: a small `layer` is quick, one of 2048 channels is not.

    Args:
      model, variables, images, labels, layer, preprocess, score, relu, resize: as in `grad_cam`.
      batch_size: masked images held at once; None: all channels of all images.

    Returns:
      (N, H, W), or (N, h, w) for `resize=None`; raw, in float32.

    Raises:
      ValueError: as in `grad_cam`.

    Example:
      >>> model = nn.Sequential([nn.Conv(2, (1, 1)), lambda x: x.mean((1, 2))])
      >>> variables = {"params": {"layers_0": {"kernel": jnp.array([[[[4.0, 4.0]]]]), "bias": jnp.zeros(2)}}}
      >>> score_cam(model, variables, jnp.array([[[[0.0], [1.0]]]]), [1]).tolist()
      [[[0.0, 4.0]]]
    """
    check_score(score)
    choice("resize", resize, RESIZE)
    network = Network(model, variables, preprocess)
    _, images, labels = checks.inputs(network.logits_fn, images, labels)
    activations = execution.in_batches(lambda images: _activation(network, images, layer), batch_size, images)
    count, channels = len(images), activations.shape[-1]

    def masked(pair):
        image, channel = pair // channels, pair % channels
        return _masked_score(network, images[image], labels[image], activations[image, :, :, channel], score)

    scores = execution.in_batches(masked, batch_size, np.arange(count * channels)).reshape(count, channels)
    return execution.in_batches(
        lambda scores, activations, images: _weighted(scores, activations, images, relu, resize),
        batch_size,
        scores,
        activations,
        images,
    )


@functools.partial(jax.jit, static_argnames="layer")
def _activation(network, images, layer):
    return at_least_float32(network.read(images, network.spatial_layer(images.shape[1:], layer)))


@functools.partial(jax.jit, static_argnames="score")
def _masked_score(network, images, labels, masks, score):
    inputs = network.inputs(images)
    masks = jax.image.resize(masks, inputs.shape[:3], "bilinear")
    low, high = (extreme(masks, axis=(1, 2), keepdims=True) for extreme in (jnp.min, jnp.max))
    masks = (masks - low) / jnp.where(high > low, high - low, 1)
    bare = Network(network.model, network.variables)
    logits = bare.logits_fn(inputs * masks[..., None].astype(inputs.dtype))
    return score_of(logits, labels, score)


@functools.partial(jax.jit, static_argnames=("relu", "resize"))
def _weighted(scores, activations, images, relu, resize):
    weights = jax.nn.softmax(scores)[:, None, None]
    maps = (weights * activations).sum(-1)
    return resized(jax.nn.relu(maps) if relu else maps, images.shape, resize)
