"""Grad-CAM and Grad-CAM++: the channels of a layer, weighted by what the score gains from each.

References: Selvaraju et al., 2016, arXiv:1610.02391; Chattopadhyay et al., 2017, arXiv:1710.11063.
"""

import functools
from collections.abc import Callable
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.tree_util import Partial

from analysis import checks, execution
from analysis.network import Network
from analysis.numerics import RESIZE, at_least_float32, resized
from analysis.scores import Score, check_score, score_of
from convzoo.checks import choice


def grad_cam(
    model: nn.Module,
    variables: Any,
    images: Any,
    labels: Any,
    layer: str | None = None,
    preprocess: Callable[[jax.Array], jax.Array] | None = None,
    score: Score = "logit",
    relu: bool = True,
    resize: Literal["bilinear", "nearest"] | None = "bilinear",
    batch_size: int | None = None,
) -> jax.Array:
    r"""Grad-CAM: the channels of a layer, weighted by their mean gradient.

    .. math:: M = \mathrm{relu}\Big( \sum_k \alpha_k A_k \Big), \qquad
              \alpha_k = \frac{1}{hw} \sum_{ij} \frac{\partial S_y}{\partial A_{ijk}}

    The map is large where the layer speaks for the class. captum's `LayerGradCam` is `relu=False, resize=None`, and
    `resize="nearest"` its interpolation to the image; pytorch-grad-cam's map is this one brought to [0, 1] by its
    smallest and largest value.

    Args:
      model: any Linen module from images to logits, with fully-connected heads too.
      variables: its variables.
      images: (N, H, W, C) floats in [0, 1].
      labels: (N,) the class y of each map.
      layer: whose output A is, by path or by an ending that only one path has (`analysis.taps`); None: the
        last stage, or the last layer with spatial extent in a model that has no stages.
      preprocess: a function from images to what the model takes; None: the images themselves.
      score: `"logit"`, `"probability"`, or a function (logits, labels) → (N,).
      relu: keep what speaks for the class only; False: signed.
      resize: how the map is brought to the size of the images; None: leave it at the layer's.
      batch_size: images held at once; None: all.

    Returns:
      (N, H, W), or (N, h, w) for `resize=None`; raw, in float32.

    Raises:
      ValueError: images, labels or choices that are not of the above; a layer that is unknown, ambiguous
        or without spatial extent.

    Example:
      >>> model = nn.Sequential([nn.Conv(2, (1, 1)), lambda x: x.mean((1, 2))])
      >>> variables = {"params": {"layers_0": {"kernel": jnp.array([[[[4.0, 8.0]]]]), "bias": jnp.zeros(2)}}}
      >>> grad_cam(model, variables, jnp.array([[[[0.0], [1.0]]]]), [1]).tolist()
      [[[0.0, 4.0]]]
    """
    network = Network(model, variables, preprocess)
    return layer_map(Partial(_mean_gradient), network, images, labels, layer, score, relu, resize, batch_size)


def _mean_gradient(gradient, activation):
    return gradient.mean((1, 2), keepdims=True)


def grad_cam_plus_plus(
    model: nn.Module,
    variables: Any,
    images: Any,
    labels: Any,
    layer: str | None = None,
    preprocess: Callable[[jax.Array], jax.Array] | None = None,
    score: Score = "logit",
    relu: bool = True,
    resize: Literal["bilinear", "nearest"] | None = "bilinear",
    epsilon: float = 0.0,
    batch_size: int | None = None,
) -> jax.Array:
    r"""Grad-CAM that counts each place where a channel speaks for the class, so that several objects show.

    .. math:: \alpha_k = \sum_{ij} \frac{g_{ijk}^2}{2 g_{ijk}^2 + g_{ijk}^3 \sum_{ab} A_{abk} + \epsilon}\,
              \mathrm{relu}(g_{ijk}), \qquad g = \frac{\partial S_y}{\partial A}

    The closed form is that of a score exp(S); its factor exp(S) is one number an image, and left out.

    Args:
      model, variables, images, labels, layer, preprocess, score, relu, resize, batch_size: as in `grad_cam`.
      epsilon: what keeps the denominator from zero; 0: nothing, and where it is zero, so is the share
        (pytorch-grad-cam: 1e-6, which changes the map where gradients are small).

    Returns:
      (N, H, W), or (N, h, w) for `resize=None`; raw, in float32.

    Raises:
      ValueError: as in `grad_cam`.

    Example:
      >>> model = nn.Sequential([nn.Conv(2, (1, 1)), lambda x: x.mean((1, 2))])
      >>> variables = {"params": {"layers_0": {"kernel": jnp.array([[[[4.0, 8.0]]]]), "bias": jnp.zeros(2)}}}
      >>> grad_cam_plus_plus(model, variables, jnp.array([[[[0.0], [1.0]]]]), [1]).shape
      (1, 1, 2)

    Reference: Chattopadhyay, Sarkar, Howlader & Balasubramanian, 2017, arXiv:1710.11063.
    """
    network = Network(model, variables, preprocess)
    weigh = Partial(_counted_gradient, epsilon)
    return layer_map(weigh, network, images, labels, layer, score, relu, resize, batch_size)


def _counted_gradient(epsilon, gradient, activation):
    square = gradient**2
    below = 2 * square + gradient**3 * activation.sum((1, 2), keepdims=True) + epsilon
    share = jnp.where(below == 0, 0, square / jnp.where(below == 0, 1, below))
    return (share * jax.nn.relu(gradient)).sum((1, 2), keepdims=True)


def layer_map(
    weigh: Partial,
    network: Network,
    images: Any,
    labels: Any,
    layer: str | None,
    score: Score,
    relu: bool,
    resize: str | None,
    batch_size: int | None,
) -> jax.Array:
    """The sum of a layer's channels with weights that its gradient decides.

    Args:
      weigh: (gradient, activation), both (N, h, w, K) in at least float32 → weights that broadcast to them.
      network: the network to explain.
      images, labels, layer, score, relu, resize, batch_size: as in `grad_cam`.

    Returns:
      (N, H, W), or (N, h, w) for `resize=None`.
    """
    check_score(score)
    choice("resize", resize, RESIZE)
    _, images, labels = checks.inputs(network.logits_fn, images, labels)
    return execution.in_batches(
        lambda images, labels: _layer_map(weigh, network, images, labels, layer, score, relu, resize),
        batch_size,
        images,
        labels,
    )


@functools.partial(jax.jit, static_argnames=("layer", "score", "relu", "resize"))
def _layer_map(weigh, network, images, labels, layer, score, relu, resize):
    path = network.spatial_layer(images.shape[1:], layer)
    gradient, activation = network.gradient(images, path, lambda logits, _: score_of(logits, labels, score).sum())
    gradient, activation = at_least_float32(gradient), at_least_float32(activation)
    maps = (weigh(gradient, activation) * activation).sum(-1)
    return resized(jax.nn.relu(maps) if relu else maps, images.shape, resize)
