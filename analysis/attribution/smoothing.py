"""SmoothGrad: the gradient averaged over noisy copies of the image.

Reference: Smilkov, Thorat, Kim, Viégas & Wattenberg, 2017, arXiv:1706.03825.
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
from convzoo.checks import choice, integer, number

AVERAGES: dict[str, Callable[[jax.Array], jax.Array]] = {
    "signed": lambda gradient: gradient,
    "absolute": jnp.abs,
    "square": jnp.square,
}


def smoothgrad(
    logits_fn: Callable[[jax.Array], jax.Array],
    images: Any,
    labels: Any,
    key: Any = None,
    samples: int = 25,
    sigma: float = 0.15,
    relative: bool = False,
    noise: Any = None,
    average: Literal["signed", "absolute", "square"] = "signed",
    channels: Channels = "max",
    score: Score = "logit",
    batch_size: int | None = 32,
) -> jax.Array:
    r"""The gradient, rid of what changes from one neighbouring image to the next.

    .. math:: M = \frac{1}{n} \sum_{s=1}^n \nabla S_y(x + \sigma \epsilon_s), \qquad
              \epsilon_s \sim \mathcal N(0, 1)

    Args:
      logits_fn: (N, H, W, C) images in [0, 1] → (N, classes) logits.
      images: (N, H, W, C) floats in [0, 1].
      labels: (N,) the class y of each map.
      key: a `jax.random.key`; image i draws from its i-th fold.
      samples: noisy copies n of each image.
      sigma: standard deviation of the noise, as a share of the scale from 0 to 1 (captum's `stdevs`).
      relative: measure `sigma` in each image's own range, max − min, as the paper does, instead.
      noise: (samples, N, H, W, C) what is added, in place of `key`, `samples` and `sigma`.
      average: what is averaged over the copies: the `"signed"` gradient as in the paper, its `"absolute"`
        value (captum's `NoiseTunnel` over its default `Saliency`), or its `"square"` (`smoothgrad_sq`).
      channels: `"max"`: the largest absolute value; `"sum"`: the signed sum; None: all of them.
      score: `"logit"`, `"probability"`, or a function (logits, labels) → (N,).
      batch_size: noisy copies held at once, over all images; None: all copies of all images.

    Returns:
      (N, H, W), or (N, H, W, C) for `channels=None`; raw.

    Raises:
      ValueError: images, labels or choices that are not of the above; neither a key nor noise, or both.

    Example:
      >>> linear = lambda images: images.sum((1, 2)) @ jnp.array([[1.0, 0.0], [0.0, -2.0]])
      >>> smoothgrad(linear, jnp.full((1, 1, 1, 2), 0.5), [1], jax.random.key(0)).tolist()
      [[[2.0]]]
    """
    check_channels(channels)
    check_score(score)
    integer("samples", samples)
    choice("average", average, AVERAGES)
    number("sigma", sigma, 0)
    if (key is None) == (noise is None):
        raise ValueError("smoothgrad draws noise from key=jax.random.key(...) or takes noise=: give one of them")
    logits_fn, images, labels = checks.inputs(logits_fn, images, labels)
    if noise is None:
        keys = checks.keys(key, len(images))
        ranges = images.max((1, 2, 3)) - images.min((1, 2, 3)) if relative else np.ones(len(images), images.dtype)
        scales = jnp.asarray(sigma, images.dtype) * ranges
    else:
        noise = noise if isinstance(noise, jax.Array) else np.asarray(noise)
        if noise.ndim != 5 or noise.shape[1:] != images.shape or not len(noise):
            raise ValueError(f"noise of shape {noise.shape}: expected (samples, N, H, W, C) with images {images.shape}")
        if checks.is_concrete(noise) and not np.isfinite(np.asarray(noise)).all():
            raise ValueError("noise holds NaN or infinity: expected finite numbers")
        samples, noise = len(noise), noise.astype(images.dtype)

    def of_copies(sample, row, images, labels):
        drawn = _draw(keys[row], sample, scales[row], images) if noise is None else noise[sample, row]
        return _of_copies(logits_fn, images, drawn, labels, average, score)

    sums = execution.sum_over_samples(of_copies, samples, batch_size, np.arange(len(images)), images, labels)
    return over_channels(sums / samples, channels)


@jax.jit
def _draw(keys, samples, scales, images):
    def one(key, sample, scale, image):
        return scale * jax.random.normal(jax.random.fold_in(key, sample), image.shape, image.dtype)

    return jax.vmap(one)(keys, samples, scales, images)


@functools.partial(jax.jit, static_argnames=("average", "score"))
def _of_copies(logits_fn, images, noise, labels, average, score):
    return AVERAGES[average](gradient_of(logits_fn, images + noise, labels, score))
