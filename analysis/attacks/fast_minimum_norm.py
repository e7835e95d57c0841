"""Fast minimum-norm (FMN) attacks: the nearest adversarial image in Linf, L2 or L1, in few steps.

Reference: Pintor et al., 2021, arXiv:2102.12827.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from analysis import execution
from analysis.attacks.losses import LOSSES
from analysis.attacks.minimal import Descent, annealed, lengths, prepare_nearest, seek
from analysis.attacks.search import inward, slope
from analysis.attacks.threat import L2
from convzoo.checks import integer

FIRST, LAST = 1.0, 0.01  # lengths of the steps along the gradient
CHANGE, LEAST = 0.05, 0.001  # of the radius a step, at first and at last
MARGIN = LOSSES["margin"].function


def fmn(
    logits_fn: Callable[[jax.Array], jax.Array],
    images: Any,
    labels: Any,
    norm: str = "linf",
    steps: int = 100,
    targets: Any = None,
    batch_size: int | None = None,
) -> jax.Array:
    r"""Steps along the gradient of the margin, each brought into a ball whose radius closes in on the boundary.

    .. math:: x_{t+1} = \Pi_{[0, 1]} \Pi_{B(x, \epsilon_t)} \Big( x_t + \alpha_t
              \frac{\nabla \ell}{\lVert \nabla \ell \rVert_2} \Big)

    Until the goal is reached, ε is γ more than the distance to where the linearized margin ℓ is zero; then it shrinks
    by γ where the goal is reached, and grows by γ where it is not. Along cosines α
    falls from 1 to 0.01 and γ from 5 % to 0.1 %. The nearest of all iterates that reach the goal is moved towards the
    image by ten bisections, which the paper does not do; the projection is onto ball and [0, 1] together.

    It assumes that a gradient is informative all the way to the other class; a distance is an upper bound of the
    least one. An image that it leaves as it is may well have an adversarial neighbour, if the model hides its gradient.

    Args:
      logits_fn: (N, H, W, C) images in [0, 1] → (N, classes) logits.
      images: (N, H, W, C) floats in [0, 1].
      labels: (N,) the true classes.
      norm: `"linf"`, `"l2"` or `"l1"`.
      steps: gradient steps.
      targets: (N,) classes to be taken for; None: any but the label.
      batch_size: images held at once; None: all.

    Returns:
      (N, H, W, C) the nearest images of the goal, in [0, 1]; where none came up, or the image is of the goal already,
      the image itself.

    Raises:
      ValueError: images, labels, targets, norm or numbers that are not of the above.

    Example:
      >>> linear = lambda images: (images[:, 0, 0] - 0.5) @ jnp.array([[1.0, -1.0]])
      >>> round(fmn(linear, jnp.full((1, 1, 1, 1), 0.75), [0]).item(), 2)
      0.5
    """
    integer("steps", steps)
    logits_fn, images, goal, _, threat = prepare_nearest(logits_fn, images, labels, norm, targets)

    def attack(images, goal):
        images = jnp.asarray(images)
        return seek(_step, Descent.at(images, np.inf), steps, logits_fn, images, goal, threat, steps)

    return execution.in_batches(attack, batch_size, images, goal)


def _step(descent, logits_fn, images, goal, threat, steps):
    margins, reached, gradient = slope(descent.images, logits_fn, goal, MARGIN)
    gradient = inward(gradient, descent.images)
    distance = lengths(threat, descent.images - images)
    nearest = descent.nearest.update(descent.images, distance, reached)
    change = annealed(descent.step, steps, CHANGE, LEAST)
    rate = jax.vmap(threat.dual_norm)(gradient).astype(jnp.float32)
    beyond = distance + jnp.abs(margins) / jnp.where(rate > 0, rate, 1)
    grown = jnp.where(jnp.isfinite(nearest.distance), descent.radius, beyond) * (1 + change)
    radius = jnp.where(reached, jnp.minimum(descent.radius * (1 - change), nearest.distance), grown)
    # No perturbation within [0, 1] is longer.
    radius = jnp.minimum(radius, lengths(threat, jnp.maximum(images, 1 - images)))
    length = annealed(descent.step, steps, FIRST, LAST).astype(images.dtype)
    moved = descent.images + length * jax.vmap(L2(0.0).ascend)(gradient)

    def project(image, centre, eps):
        return type(threat)(eps.astype(image.dtype)).nearest_image(image, centre)

    return Descent(jax.vmap(project)(moved, images, radius), radius, nearest, descent.step + 1)
