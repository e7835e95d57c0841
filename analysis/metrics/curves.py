"""Insertion and deletion: how fast a class appears as its most important pixels come, and goes as they go.

Reference: Petsiuk, Das & Saenko, 2018, arXiv:1806.07421.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from analysis import checks, execution
from analysis.metrics.forms import as_maps
from analysis.scores import Score, check_score, score_of
from convzoo.checks import choice, integer, number

Baseline = Literal["blur"] | float | Sequence[float] | jax.Array | np.ndarray


class Curve(NamedTuple):
    """A score over the share of pixels that were changed, the most important ones first.

    Attributes:
      shares: (steps + 1,) from 0 to 1.
      scores: (N, steps + 1).
    """

    shares: jax.Array
    scores: jax.Array

    def area(self) -> jax.Array:
        """(N,) area under each curve, by trapezoids.

        Example:
          >>> Curve(jnp.array([0.0, 1.0]), jnp.array([[0.0, 1.0]])).area().tolist()
          [0.5]
        """
        heights = (self.scores[:, 1:] + self.scores[:, :-1]) / 2
        return jnp.sum(heights * jnp.diff(self.shares)[None], axis=1)


def insertion_curve(
    logits_fn: Callable[[jax.Array], jax.Array],
    images: Any,
    labels: Any,
    maps: Any,
    steps: int = 32,
    baseline: Baseline = "blur",
    score: Score = "probability",
    batch_size: int | None = 128,
) -> Curve:
    """The score as the pixels of each image replace those of its baseline, in the order of its map.

    Args:
      logits_fn: (N, H, W, C) images in [0, 1] → (N, classes) logits.
      images: (N, H, W, C) floats in [0, 1].
      labels: (N,) the class whose score is followed.
      maps: (N, H, W), the most important pixel the largest; equal ones from the top left.
      steps: how often pixels are changed, as many each time as can be.
      baseline: what stands where a pixel of the image does not: `"blur"` (`blurred`), a number, one number
        a channel, or (N, H, W, C) images.
      score: `"probability"`, `"logit"`, or a function (logits, labels) → (N,).
      batch_size: changed images held at once; None: all steps of all images.

    Returns:
      A `Curve`.

    Raises:
      ValueError: images, labels, maps, choices or numbers that are not of the above.

    Example:
      >>> mean = lambda images: images.mean((1, 2))
      >>> curve = insertion_curve(mean, jnp.ones((1, 1, 2, 1)), [0], [[[1.0, 2.0]]], 2, baseline=0.0, score="logit")
      >>> curve.scores.tolist()
      [[0.0, 0.5, 1.0]]
    """
    return _curve(logits_fn, images, labels, maps, steps, baseline, score, batch_size, insert=True)


def deletion_curve(
    logits_fn: Callable[[jax.Array], jax.Array],
    images: Any,
    labels: Any,
    maps: Any,
    steps: int = 32,
    baseline: Baseline = 0.0,
    score: Score = "probability",
    batch_size: int | None = 128,
) -> Curve:
    """The score as the pixels of each image give way to its baseline, in the order of its map.

    Args:
      logits_fn, images, labels, maps, steps, baseline, score, batch_size: as in `insertion_curve`.

    Returns:
      A `Curve`.

    Raises:
      ValueError: as in `insertion_curve`.

    Example:
      >>> mean = lambda images: images.mean((1, 2))
      >>> deletion_curve(mean, jnp.ones((1, 1, 2, 1)), [0], [[[1.0, 2.0]]], 2, score="logit").scores.tolist()
      [[1.0, 0.5, 0.0]]
    """
    return _curve(logits_fn, images, labels, maps, steps, baseline, score, batch_size, insert=False)


def insertion(
    logits_fn: Callable[[jax.Array], jax.Array],
    images: Any,
    labels: Any,
    maps: Any,
    steps: int = 32,
    baseline: Baseline = "blur",
    score: Score = "probability",
    batch_size: int | None = 128,
) -> jax.Array:
    """The area under `insertion_curve`: the larger, the better the map knows what makes the class.

    Args:
      logits_fn, images, labels, maps, steps, baseline, score, batch_size: as in `insertion_curve`.

    Returns:
      (N,), in [0, 1] for probabilities.

    Raises:
      ValueError: as in `insertion_curve`.

    Example:
      >>> first = lambda images: images[:, 0, 0] @ jnp.array([[1.0, 0.0]])
      >>> image = jnp.ones((1, 1, 2, 1))
      >>> [insertion(first, image, [0], m, 2, 0.0, "logit").item() for m in ([[[1.0, 0.0]]], [[[0.0, 1.0]]])]
      [0.75, 0.25]
    """
    return insertion_curve(logits_fn, images, labels, maps, steps, baseline, score, batch_size).area()


def deletion(
    logits_fn: Callable[[jax.Array], jax.Array],
    images: Any,
    labels: Any,
    maps: Any,
    steps: int = 32,
    baseline: Baseline = 0.0,
    score: Score = "probability",
    batch_size: int | None = 128,
) -> jax.Array:
    """The area under `deletion_curve`: the smaller, the better the map knows what the class needs.

    Args:
      logits_fn, images, labels, maps, steps, baseline, score, batch_size: as in `insertion_curve`.

    Returns:
      (N,), in [0, 1] for probabilities.

    Raises:
      ValueError: as in `insertion_curve`.

    Example:
      >>> first = lambda images: images[:, 0, 0] @ jnp.array([[1.0, 0.0]])
      >>> image = jnp.ones((1, 1, 2, 1))
      >>> [deletion(first, image, [0], m, 2, 0.0, "logit").item() for m in ([[[1.0, 0.0]]], [[[0.0, 1.0]]])]
      [0.25, 0.75]
    """
    return deletion_curve(logits_fn, images, labels, maps, steps, baseline, score, batch_size).area()


def blurred(images: Any, sigma: float | None = None) -> jax.Array:
    r"""Images under a Gaussian, whose weights are scaled to one at the borders too.

    .. math:: \tilde x_{p} = \frac{\sum_q x_q \, e^{-|p - q|^2 / 2 \sigma^2}}{\sum_q e^{-|p - q|^2 / 2 \sigma^2}}

    Args:
      images: (N, H, W, C) floats in [0, 1].
      sigma: standard deviation in pixels; None: an eighth of the shorter side.

    Returns:
      (N, H, W, C).

    Raises:
      ValueError: images that are not of the above, or a standard deviation that is not positive.

    Example:
      >>> blurred(jnp.ones((1, 4, 4, 1)))[0, 0, 0].round(4).tolist()
      [1.0]
    """
    images = checks.as_images(images)
    sigma = min(images.shape[1:3]) / 8 if sigma is None else number("sigma", sigma, 0, above=True)
    rows, columns = (_gaussian(size, sigma).astype(images.dtype) for size in images.shape[1:3])
    return jnp.einsum("ph,qw,nhwc->npqc", rows, columns, images, precision="highest")


def _gaussian(size, sigma):
    place = np.arange(size)
    weights = np.exp(-((place[:, None] - place) ** 2) / (2 * sigma**2))
    return weights / weights.sum(1, keepdims=True)


def _curve(logits_fn, images, labels, maps, steps, baseline, score, batch_size, insert):
    integer("steps", steps)
    check_score(score)
    logits_fn, images, labels = checks.inputs(logits_fn, images, labels)
    if score == "probability":
        checks.several(checks.classes_of(logits_fn, images))
    maps = as_maps(maps, images.shape[:3])
    baselines = as_baseline(baseline, images)
    pixels = images.shape[1] * images.shape[2]
    counts = np.rint(np.linspace(0, pixels, steps + 1)).astype(np.int32)
    places = _places(maps)
    sides = (baselines, images) if insert else (images, baselines)
    scores = execution.in_batches(
        lambda pair: _scores(
            logits_fn,
            *(execution.rows_of(part, pair // len(counts)) for part in (*sides, labels, places)),
            counts[pair % len(counts)],
            score,
        ),
        batch_size,
        np.arange(len(images) * len(counts)),
    )
    return Curve(jnp.asarray(counts / pixels, scores.dtype), scores.reshape(len(images), len(counts)))


def as_baseline(baseline: Any, images: Any) -> jax.Array:
    """The images whose pixels replace those that are taken away.

    Args:
      baseline: `"blur"`, a number, one number a channel, or (N, H, W, C) images.
      images: (N, H, W, C), checked.

    Returns:
      (N, H, W, C) of the images' type.

    Raises:
      ValueError: anything else.

    Example:
      >>> as_baseline(0.5, jnp.zeros((1, 1, 1, 2))).tolist()
      [[[[0.5, 0.5]]]]
    """
    if isinstance(baseline, str):
        choice("baseline", baseline, ("blur", "a number"))
        return blurred(images)
    values = jnp.asarray(baseline, images.dtype)
    if values.shape not in ((), images.shape[3:], images.shape):
        raise ValueError(
            f"baseline of shape {values.shape}: expected 'blur', one number, one for each of {images.shape[3]} "
            f"channels, or images of shape {images.shape}"
        )
    if checks.is_concrete(values) and not np.isfinite(np.asarray(values)).all():
        raise ValueError("the baseline holds NaN or infinity: expected numbers in [0, 1]")
    return jnp.broadcast_to(values.reshape((1,) * (4 - values.ndim) + values.shape), images.shape)


@jax.jit
def _places(maps):
    """The place of each pixel when they are ordered by importance: 0 for the most important."""
    flat = maps.reshape(len(maps), -1)
    order = jnp.argsort(-flat, axis=1, stable=True)
    return jnp.argsort(order, axis=1).reshape(maps.shape)


@functools.partial(jax.jit, static_argnames="score")
def _scores(logits_fn, before, after, labels, places, counts, score):
    changed = places < counts[:, None, None].astype(places.dtype)
    return score_of(logits_fn(jnp.where(changed[..., None], after, before)), labels, score)
