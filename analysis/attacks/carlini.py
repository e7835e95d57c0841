"""The attack of Carlini & Wagner: the nearest adversarial image in L2, by minimising distance and margin together.

Reference: Carlini & Wagner, 2016, arXiv:1608.04644.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from analysis import execution
from analysis.attacks.losses import LOSSES
from analysis.attacks.minimal import Nearest, annealed, cut, lengths, prepare_nearest
from convzoo.checks import integer, number

MARGIN = LOSSES["margin"].function
DECAY, DECAY_OF_SQUARES, LEAST = 0.9, 0.999, 1e-8  # of Adam
GROWTH = 10.0  # of the constant, until a search succeeds
LAST = 0.01  # of the learning rate, at the last step of a search


def carlini_wagner(
    logits_fn: Callable[[jax.Array], jax.Array],
    images: Any,
    labels: Any,
    steps: int = 1000,
    searches: int = 9,
    targets: Any = None,
    batch_size: int | None = None,
    learning_rate: float = 0.01,
    constant: float = 1e-3,
    confidence: float = 0.0,
) -> jax.Array:
    r"""Minimise distance and margin together with Adam, and search for the weight of the margin.

    .. math:: \min_{x' \in [0, 1]} \lVert x' - x \rVert_2^2 + c \max(\kappa - \ell(x'), 0)

    with ℓ the margin of the goal. The weight c grows tenfold until a search succeeds, and is bisected from then on,
    image by image: no image's search ends early because of others. A search succeeds that reaches the goal in its
    second half; before, long steps may cross a boundary that c does not hold them beyond.

    The paper writes x' as a hyperbolic tangent, whose slope is zero for pixels at 0 and 1. Here Adam works on the
    pixels, and each step is clipped to [0, 1]: these pixels move like others. The learning rate falls to a hundredth
    along a cosine, and ten bisections move the nearest image towards the original; the paper has neither.

    It assumes that a gradient is informative all the way to the other class; it is slow, with steps × searches
    gradients. A distance is an upper bound of the least one. An image that it leaves as it is may well have an
    adversarial neighbour, if the model hides its gradient.

    Args:
      logits_fn: (N, H, W, C) images in [0, 1] → (N, classes) logits.
      images: (N, H, W, C) floats in [0, 1].
      labels: (N,) the true classes.
      steps: gradient steps of a search.
      searches: values of c to try.
      targets: (N,) classes to be taken for; None: any but the label.
      batch_size: images held at once; None: all.
      learning_rate: of Adam at the first step, in pixel values.
      constant: c of the first search.
      confidence: κ, the margin that an image must have, in units of the logits; above 0 there are no bisections.

    Returns:
      (N, H, W, C) the nearest images of the goal, in [0, 1]; where none came up, or the image is of the goal already,
      the image itself.

    Raises:
      ValueError: images, labels, targets or numbers that are not of the above.

    Example:
      >>> linear = lambda images: (images[:, 0, 0] - 0.5) @ jnp.array([[1.0, -1.0]])
      >>> round(carlini_wagner(linear, jnp.full((1, 1, 1, 1), 0.75), [0], steps=50, searches=4).item(), 2)
      0.5
    """
    integer("steps", steps)
    integer("searches", searches)
    number("learning_rate", learning_rate, 0, above=True)
    number("constant", constant, 0, above=True)
    number("confidence", confidence, 0)
    logits_fn, images, goal, _, threat = prepare_nearest(logits_fn, images, labels, "l2", targets)

    def attack(images, goal):
        images = jnp.asarray(images)
        nearest = Nearest.at(images)
        ones = np.ones(len(images), np.float32)
        weights = Weights(*(jnp.asarray(value * ones) for value in (constant, 0, np.inf)))
        settings = steps, learning_rate, confidence
        for _ in range(searches):
            state = _start(images, nearest)
            state = execution.iterate(_step, state, steps, logits_fn, images, goal, threat, weights.now, *settings)
            nearest, weights = _finish(state, weights, logits_fn, images, goal, threat, confidence)
        return (nearest if confidence > 0 else cut(nearest, logits_fn, images, goal, threat)).images

    return execution.in_batches(attack, batch_size, images, goal)


class Weights(NamedTuple):
    """Weights of the margin, one row an image.

    Attributes:
      now: (N,) of the current search.
      low: (N,) the largest that failed, or 0.
      high: (N,) the smallest that succeeded, or inf.
    """

    now: jax.Array
    low: jax.Array
    high: jax.Array


class Descent(NamedTuple):
    """A search of Adam, one row an image.

    Attributes:
      images: (N, H, W, C) the current ones.
      mean: (N, H, W, C) of the gradients.
      square: (N, H, W, C) mean of their squares.
      success: (N,) whether this search reached the goal in its second half.
      nearest: of those evaluated, in all searches.
      step: int32 scalar.
    """

    images: jax.Array
    mean: jax.Array
    square: jax.Array
    success: jax.Array
    nearest: Nearest
    step: jax.Array


@jax.jit
def _start(images, nearest):
    zeros = jnp.zeros(images.shape, jnp.float32)
    return Descent(images, zeros, zeros, jnp.zeros(len(images), bool), nearest, jnp.int32(0))


def _outcome(images, logits_fn, goal, confidence):
    logits = logits_fn(images)
    margins = MARGIN(goal, logits)
    return margins, goal.reached(logits) & (margins >= confidence)


def _step(state, logits_fn, images, goal, threat, weights, steps, learning_rate, confidence):
    def objective(current):
        margins, reached = _outcome(current, logits_fn, goal, confidence)
        return jnp.sum(weights * jnp.maximum(confidence - margins, 0)), reached

    slope, reached = jax.grad(objective, has_aux=True)(state.images)
    delta = (state.images - images).astype(jnp.float32)
    gradient = 2 * delta + slope.astype(jnp.float32)
    mean = DECAY * state.mean + (1 - DECAY) * gradient
    square = DECAY_OF_SQUARES * state.square + (1 - DECAY_OF_SQUARES) * gradient**2
    count = (state.step + 1).astype(jnp.float32)
    direction = (mean / (1 - DECAY**count)) / (jnp.sqrt(square / (1 - DECAY_OF_SQUARES**count)) + LEAST)
    rate = learning_rate * annealed(state.step, steps, 1.0, LAST)
    moved = jnp.clip(state.images.astype(jnp.float32) - rate * direction, 0, 1).astype(images.dtype)
    nearest = state.nearest.update(state.images, lengths(threat, delta), reached)
    success = state.success | (reached & (state.step >= steps // 2))
    return Descent(moved, mean, square, success, nearest, state.step + 1)


@jax.jit
def _finish(state, weights, logits_fn, images, goal, threat, confidence):
    """The nearest of a search, and the weights of the next."""
    _, reached = _outcome(state.images, logits_fn, goal, confidence)
    nearest = state.nearest.update(state.images, lengths(threat, state.images - images), reached)
    success = state.success | reached
    low = jnp.where(success, weights.low, jnp.maximum(weights.low, weights.now))
    high = jnp.where(success, jnp.minimum(weights.high, weights.now), weights.high)
    now = jnp.where(jnp.isfinite(high), (low + high) / 2, weights.now * GROWTH)
    return nearest, Weights(now, low, high)
