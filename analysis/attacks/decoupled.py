"""Decoupled direction and norm (DDN): the nearest adversarial image in L2, in few steps.

Reference: Rony et al., 2018, arXiv:1811.09600.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from analysis import execution
from analysis.attacks.losses import CROSS_ENTROPY
from analysis.attacks.minimal import Descent, annealed, lengths, prepare_nearest, seek
from analysis.attacks.search import as_column, inward, slope
from convzoo.checks import integer

RADIUS = 1.0  # of the first sphere
CHANGE = 0.05  # of the radius a step
FIRST, LAST = 1.0, 0.01  # lengths of the steps along the gradient


def ddn(
    logits_fn: Callable[[jax.Array], jax.Array],
    images: Any,
    labels: Any,
    steps: int = 100,
    targets: Any = None,
    batch_size: int | None = None,
) -> jax.Array:
    r"""Steps along the gradient, each brought onto a sphere that shrinks by 5 % inside the other class and else grows.

    .. math:: \delta \leftarrow \delta + \alpha_t \frac{\nabla L}{\lVert \nabla L \rVert_2}, \qquad
              \rho \leftarrow (1 \mp 0.05)\, \rho, \qquad
              x_{t+1} = \mathrm{clip}_{[0, 1]} \big( x + \rho\, \delta / \lVert \delta \rVert_2 \big)

    with α falling from 1 to 0.01 along a cosine, and ρ = 1 at first. The nearest of all iterates that reach the goal
    is moved towards the image by ten bisections, which the paper does not do.

    It assumes that a gradient is informative all the way to the other class; a distance is an upper bound of the
    least one. An image that it leaves as it is may well have an adversarial neighbour: the radius grows at most
    1.05-fold a step, and the model may hide its gradient.

    Args:
      logits_fn: (N, H, W, C) images in [0, 1] → (N, classes) logits.
      images: (N, H, W, C) floats in [0, 1].
      labels: (N,) the true classes.
      steps: gradient steps.
      targets: (N,) classes to be taken for; None: any but the label.
      batch_size: images held at once; None: all.

    Returns:
      (N, H, W, C) the nearest images of the goal, in [0, 1]; where none came up, or the image is of the goal already,
      the image itself.

    Raises:
      ValueError: images, labels, targets or numbers that are not of the above.

    Example:
      >>> linear = lambda images: (images[:, 0, 0] - 0.5) @ jnp.array([[1.0, -1.0]])
      >>> round(ddn(linear, jnp.full((1, 1, 1, 1), 0.75), [0]).item(), 2)
      0.5
    """
    integer("steps", steps)
    logits_fn, images, goal, _, threat = prepare_nearest(logits_fn, images, labels, "l2", targets)

    def attack(images, goal):
        images = jnp.asarray(images)
        return seek(_step, Descent.at(images, RADIUS), steps, logits_fn, images, goal, threat, steps)

    return execution.in_batches(attack, batch_size, images, goal)


def _step(descent, logits_fn, images, goal, threat, steps):
    _, reached, gradient = slope(descent.images, logits_fn, goal, CROSS_ENTROPY)
    delta = descent.images - images
    nearest = descent.nearest.update(descent.images, lengths(threat, delta), reached)
    radius = descent.radius * jnp.where(reached, 1 - CHANGE, 1 + CHANGE)
    length = annealed(descent.step, steps, FIRST, LAST).astype(images.dtype)
    delta = delta + length * jax.vmap(threat.ascend)(inward(gradient, descent.images))
    moved = images + as_column(radius).astype(images.dtype) * jax.vmap(threat.ascend)(delta)
    return Descent(jnp.clip(moved, 0, 1), radius, nearest, descent.step + 1)
