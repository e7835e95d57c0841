"""Saliency: the gradient of a score with respect to the pixels.

Reference: Simonyan, Vedaldi & Zisserman, 2013, arXiv:1312.6034.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax

from analysis import checks, execution
from analysis.attribution.channels import Channels, check_channels, over_channels
from analysis.scores import Score, check_score, score_of


def saliency(
    logits_fn: Callable[[jax.Array], jax.Array],
    images: Any,
    labels: Any,
    channels: Channels = "max",
    score: Score = "logit",
    batch_size: int | None = None,
) -> jax.Array:
    r"""The gradient of the score with respect to each pixel.

    .. math:: M_{hw} = \max_c \left| \frac{\partial S_y(x)}{\partial x_{hwc}} \right|

    Args:
      logits_fn: (N, H, W, C) images in [0, 1] → (N, classes) logits.
      images: (N, H, W, C) floats in [0, 1].
      labels: (N,) the class y of each map.
      channels: `"max"`: the largest absolute value; `"sum"`: the signed sum; None: all of them.
      score: `"logit"`, `"probability"`, or a function (logits, labels) → (N,).
      batch_size: images held at once; None: all.

    Returns:
      (N, H, W), or (N, H, W, C) for `channels=None`; raw.

    Raises:
      ValueError: images, labels or choices that are not of the above.

    Example:
      >>> import jax.numpy as jnp
      >>> linear = lambda images: images.sum((1, 2)) @ jnp.array([[1.0, 0.0], [0.0, -2.0]])
      >>> saliency(linear, jnp.full((1, 1, 1, 2), 0.5), [1]).tolist()
      [[[2.0]]]
    """
    check_channels(channels)
    check_score(score)
    logits_fn, images, labels = checks.inputs(logits_fn, images, labels)
    return execution.in_batches(
        lambda images, labels: _saliency(logits_fn, images, labels, channels, score), batch_size, images, labels
    )


def input_times_gradient(
    logits_fn: Callable[[jax.Array], jax.Array],
    images: Any,
    labels: Any,
    channels: Channels = "sum",
    score: Score = "logit",
    batch_size: int | None = None,
) -> jax.Array:
    r"""The first-order contribution of each pixel to the score.

    .. math:: M_{hw} = \sum_c x_{hwc} \frac{\partial S_y(x)}{\partial x_{hwc}}

    Args:
      logits_fn, images, labels, score, batch_size: as in `saliency`.
      channels: `"sum"`: the signed sum; `"max"`: the largest absolute value; None: all of them.

    Returns:
      (N, H, W), or (N, H, W, C) for `channels=None`; raw.

    Raises:
      ValueError: as in `saliency`.

    Example:
      >>> import jax.numpy as jnp
      >>> linear = lambda images: images.sum((1, 2)) @ jnp.array([[1.0, 0.0], [0.0, -2.0]])
      >>> input_times_gradient(linear, jnp.full((1, 1, 1, 2), 0.5), [1]).tolist()
      [[[-1.0]]]

    Reference: Shrikumar, Greenside, Shcherbina & Kundaje, 2016, arXiv:1605.01713.
    """
    check_channels(channels)
    check_score(score)
    logits_fn, images, labels = checks.inputs(logits_fn, images, labels)
    return execution.in_batches(
        lambda images, labels: _times_input(logits_fn, images, labels, channels, score), batch_size, images, labels
    )


@functools.partial(jax.jit, static_argnames=("channels", "score"))
def _saliency(logits_fn, images, labels, channels, score):
    return over_channels(gradient_of(logits_fn, images, labels, score), channels)


@functools.partial(jax.jit, static_argnames=("channels", "score"))
def _times_input(logits_fn, images, labels, channels, score):
    return over_channels(images * gradient_of(logits_fn, images, labels, score), channels)


def gradient_of(logits_fn: Callable, images: jax.Array, labels: jax.Array, score: Score) -> jax.Array:
    """The gradient of each image's score in its own pixels: (N, H, W, C)."""
    return jax.grad(lambda images: score_of(logits_fn(images), labels, score).sum())(images)
