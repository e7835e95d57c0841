"""Whether a map's numbers are those of the function: its differences, its slopes, and how steady they are."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from analysis import checks, execution
from analysis.metrics.curves import Baseline, as_baseline
from analysis.metrics.forms import as_finite, as_maps
from analysis.scores import Score, check_score, score_of
from convzoo.checks import integer, number


def completeness(
    logits_fn: Callable[[jax.Array], jax.Array],
    images: Any,
    labels: Any,
    maps: Any,
    baseline: Baseline = 0.0,
    score: Score = "logit",
    batch_size: int | None = None,
) -> jax.Array:
    r"""By how much the sum of a map misses the score that the image has over its baseline.

    .. math:: \sum_p M_p - \left[ S_y(x) - S_y(x') \right]

    Args:
      logits_fn: (N, H, W, C) images in [0, 1] → (N, classes) logits.
      images: (N, H, W, C) floats in [0, 1].
      labels: (N,) the class y of each map.
      maps: (N, H, W) signed, summed over channels.
      baseline: x', the one the maps were made with: `"blur"`, a number, one number a channel, or images.
      score: `"logit"`, `"probability"`, or a function (logits, labels) → (N,).
      batch_size: images held at once; None: all.

    Returns:
      (N,) in units of the score; 0 for integrated gradients of enough steps.

    Raises:
      ValueError: images, labels, maps or choices that are not of the above.

    Example:
      >>> total = lambda images: images.sum((1, 2))
      >>> completeness(total, jnp.full((1, 1, 2, 1), 0.5), [0], [[[0.5, 0.75]]]).tolist()
      [0.25]

    Reference: Sundararajan, Taly & Yan, 2017, arXiv:1703.01365.
    """
    check_score(score)
    logits_fn, images, labels = checks.inputs(logits_fn, images, labels)
    maps = as_maps(maps, images.shape[:3])
    return execution.in_batches(
        lambda *rows: _completeness(logits_fn, *rows, score),
        batch_size,
        images,
        as_baseline(baseline, images),
        labels,
        maps,
    )


@functools.partial(jax.jit, static_argnames="score")
def _completeness(logits_fn, images, baselines, labels, maps, score):
    gained = score_of(logits_fn(images), labels, score) - score_of(logits_fn(baselines), labels, score)
    return maps.sum((1, 2)).astype(gained.dtype) - gained


def infidelity(
    logits_fn: Callable[[jax.Array], jax.Array],
    images: Any,
    labels: Any,
    maps: Any,
    key: jax.Array,
    sigma: float = 0.1,
    samples: int = 32,
    rescale: bool = False,
    score: Score = "logit",
    batch_size: int | None = 128,
) -> jax.Array:
    r"""The mean squared error of a map as a linear prediction of the effect of noise on the score.

    .. math:: E_I \left[ \left( \beta \sum_p I_p M_p - [S_y(x) - S_y(x - I)] \right)^2 \right],
              \qquad I \sim \mathcal N(0, \sigma^2)

    Args:
      logits_fn: (N, H, W, C) images → (N, classes) logits; it is given noisy ones, outside [0, 1] too.
      images: (N, H, W, C) floats in [0, 1].
      labels: (N,) the class y of each map.
      maps: (N, H, W, C), or (N, H, W) for noise that is the same in all channels: units of the score per unit of
        a pixel, as a gradient has them.
      key: from `jax.random.key`; image i uses `fold_in(key, i)`.
      sigma: standard deviation of the noise.
      samples: noisy images for each image.
      rescale: β is the factor that suits each map best, so that maps in other units can be compared; else 1.
      score: `"logit"`, `"probability"`, or a function (logits, labels) → (N,).
      batch_size: noisy images held at once; None: all samples of all images.

    Returns:
      (N,) in squared units of the score; 0 for the gradient of a linear function.

    Raises:
      ValueError: images, labels, maps, key, choices or numbers that are not of the above.

    Example:
      >>> total = lambda images: images.sum((1, 2))
      >>> infidelity(total, jnp.full((1, 2, 2, 1), 0.5), [0], jnp.ones((1, 2, 2)), jax.random.key(0)).round(4).tolist()
      [0.0]

    Reference: Yeh et al., 2019, arXiv:1901.09392.
    """
    check_score(score)
    integer("samples", samples)
    number("sigma", sigma, 0, above=True)
    logits_fn, images, labels = checks.inputs(logits_fn, images, labels)
    shape = images.shape if np.ndim(maps) == 4 else images.shape[:3]
    maps = as_maps(maps, shape) if len(shape) == 3 else as_finite(jnp.asarray(maps), "maps")
    if maps.shape != shape:
        raise ValueError(f"maps of shape {maps.shape}: expected {images.shape} or {images.shape[:3]}")
    maps = maps.reshape(*images.shape[:3], -1)
    keys = checks.keys(key, len(images))
    predicted, observed = execution.in_batches(
        lambda pair: _responses(
            logits_fn,
            *(execution.rows_of(part, pair // samples) for part in (images, labels, maps, keys)),
            pair % samples,
            jnp.asarray(sigma, images.dtype),
            score,
        ),
        batch_size,
        np.arange(len(images) * samples),
    )
    predicted, observed = (values.reshape(len(images), samples) for values in (predicted, observed))
    if rescale:
        power = jnp.sum(predicted**2, 1, keepdims=True)
        predicted = predicted * (jnp.sum(predicted * observed, 1, keepdims=True) / jnp.where(power > 0, power, 1))
    return jnp.mean((predicted - observed) ** 2, axis=1)


@functools.partial(jax.jit, static_argnames="score")
def _responses(logits_fn, images, labels, maps, keys, sample, sigma, score):
    draw = lambda key, index: jax.random.normal(jax.random.fold_in(key, index), maps.shape[1:], images.dtype)  # noqa: E731
    noise = sigma * jax.vmap(draw)(keys, sample)
    predicted = (maps * noise.astype(maps.dtype)).sum((1, 2, 3))
    observed = score_of(logits_fn(images), labels, score) - score_of(logits_fn(images - noise), labels, score)
    return predicted.astype(observed.dtype), observed


def sensitivity(
    method: Callable[[Any, Any], jax.Array],
    images: Any,
    labels: Any,
    key: jax.Array,
    radius: float = 0.02,
    samples: int = 8,
) -> jax.Array:
    r"""The largest relative change of a map when its image changes a little.

    .. math:: \max_{\|\delta\|_\infty \le r} \frac{\| M(x + \delta) - M(x) \|_2}{\| M(x) \|_2}

    sought among random changes, each clipped to [0, 1] with its image.

    Args:
      method: (images, labels) → maps, any attribution with its other arguments filled in.
      images: (N, H, W, C) floats in [0, 1].
      labels: (N,) the class of each map.
      key: from `jax.random.key`; image i uses `fold_in(key, i)`.
      radius: largest change r of a value.
      samples: random changes tried.

    Returns:
      (N,); 0 for a map that stays, infinity for one that was all zero and does not stay so.

    Raises:
      ValueError: images, key or numbers that are not of the above.

    Example:
      >>> constant = lambda images, labels: jnp.ones(images.shape[:3])
      >>> sensitivity(constant, jnp.full((1, 2, 2, 1), 0.5), [0], jax.random.key(0)).tolist()
      [0.0]

    Reference: Yeh et al., 2019, arXiv:1901.09392.
    """
    integer("samples", samples)
    number("radius", radius, 0, above=True)
    images = checks.as_images(images)
    keys = checks.keys(key, len(images))
    before = method(images, labels)
    largest = jnp.asarray(np.zeros(len(images), before.dtype))
    for sample in range(samples):
        after = method(_nearby(images, keys, sample, jnp.asarray(radius, images.dtype)), labels)
        largest = jnp.maximum(largest, _distances(after, before))
    return jnp.where(largest > 0, largest / _distances(before, np.zeros((), before.dtype)), 0)


@jax.jit
def _nearby(images, keys, sample, radius):
    def draw(key):
        return jax.random.uniform(jax.random.fold_in(key, sample), images.shape[1:], images.dtype, -1, 1)

    return jnp.clip(images + radius * jax.vmap(draw)(keys), 0, 1)


@jax.jit
def _distances(maps, others):
    return jnp.sqrt(jnp.sum((maps - others).reshape(len(maps), -1) ** 2, axis=1))
