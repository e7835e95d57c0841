"""Integrated gradients: the gradient along the straight path from a baseline to the image.

Reference: Sundararajan, Taly & Yan, 2017, arXiv:1703.01365.
"""

import functools
from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from analysis import checks, execution
from analysis.attribution.channels import Channels, check_channels, over_channels
from analysis.attribution.gradients import gradient_of
from analysis.scores import Score, check_score
from convzoo.checks import choice, integer


def _gauss_legendre(steps: int) -> tuple[np.ndarray, np.ndarray]:
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    return (1 + nodes) / 2, weights / 2


def _midpoint(steps: int) -> tuple[np.ndarray, np.ndarray]:
    return (np.arange(steps) + 0.5) / steps, np.full(steps, 1 / steps)


QUADRATURES = {"gauss_legendre": _gauss_legendre, "midpoint": _midpoint}


def integrated_gradients(
    logits_fn: Callable[[jax.Array], jax.Array],
    images: Any,
    labels: Any,
    steps: int = 50,
    baseline: Any = None,
    channels: Channels = "sum",
    score: Score = "logit",
    quadrature: Literal["gauss_legendre", "midpoint"] = "gauss_legendre",
    batch_size: int | None = 32,
) -> jax.Array:
    r"""The contribution of each pixel to the score on the straight path from the baseline.

    .. math:: M = (x - b) \odot \int_0^1 \nabla S_y\big(b + \alpha (x - b)\big)\, d\alpha, \qquad
              \sum_{hwc} M_{hwc} = S_y(x) - S_y(b)

    The second equation is completeness: how far the two sides are apart says whether `steps` suffice.

    Args:
      logits_fn: (N, H, W, C) images in [0, 1] → (N, classes) logits.
      images: (N, H, W, C) floats in [0, 1].
      labels: (N,) the class y of each map.
      steps: points of the way at which the gradient is taken.
      baseline: the image b without information: a number, or an array that broadcasts to the images;
        None: zero, which is black.
      channels: `"sum"`: the signed sum; `"max"`: the largest absolute value; None: all of them.
      score: `"logit"`, `"probability"`, or a function (logits, labels) → (N,).
      quadrature: where the points are: `"gauss_legendre"`, which is exact for polynomials in α of degree
        2·steps − 1 (captum's default), or `"midpoint"`s of equal intervals.
      batch_size: points held at once, over all images; None: all points of all images.

    Returns:
      (N, H, W), or (N, H, W, C) for `channels=None`; raw.

    Raises:
      ValueError: images, labels or choices that are not of the above.

    Example:
      >>> square = lambda images: (images**2).sum((1, 2, 3), keepdims=True)[:, :, 0, 0]
      >>> integrated_gradients(square, jnp.full((1, 1, 1, 1), 0.5), [0], steps=2).round(4).tolist()
      [[[0.25]]]
    """
    check_channels(channels)
    check_score(score)
    integer("steps", steps)
    choice("quadrature", quadrature, QUADRATURES)
    logits_fn, images, labels = checks.inputs(logits_fn, images, labels)
    baselines = _baselines(baseline, images)
    points, weights = (part.astype(images.dtype) for part in QUADRATURES[quadrature](steps))
    sums = execution.sum_over_samples(
        lambda step, images, baselines, labels: _on_the_way(
            logits_fn, images, baselines, labels, points[step], weights[step], score
        ),
        steps,
        batch_size,
        images,
        baselines,
        labels,
    )
    return _times_way(images, baselines, sums, channels)


def _baselines(baseline: Any, images: Any) -> Any:
    array = 0.0 if baseline is None else baseline
    array = array if isinstance(array, jax.Array) else np.asarray(array)
    if not jnp.issubdtype(array.dtype, jnp.number):
        raise ValueError(f"baseline={baseline!r}: expected a number, or an array that broadcasts to the images")
    if checks.is_concrete(array) and not np.isfinite(np.asarray(array)).all():
        raise ValueError("baseline holds NaN or infinity: expected the colour of an image that says nothing")
    try:
        return jnp.broadcast_to(array.astype(images.dtype), images.shape)
    except ValueError:
        raise ValueError(
            f"baseline of shape {array.shape}: expected a number, or what broadcasts to images of shape {images.shape}"
        ) from None


@functools.partial(jax.jit, static_argnames="score")
def _on_the_way(logits_fn, images, baselines, labels, points, weights, score):
    points, weights = (part[:, None, None, None] for part in (points, weights))
    return weights * gradient_of(logits_fn, baselines + points * (images - baselines), labels, score)


@functools.partial(jax.jit, static_argnames="channels")
def _times_way(images, baselines, sums, channels):
    return over_channels((images - baselines) * sums, channels)
