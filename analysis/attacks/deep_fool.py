"""DeepFool: steps to the nearest linearized decision boundary.

Reference: Moosavi-Dezfooli et al., 2015, arXiv:1511.04599.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from analysis import execution
from analysis.attacks.goal import likeliest
from analysis.attacks.linearized_boundary import nearest_boundary, step_to_plane
from analysis.attacks.minimal import Nearest, lengths, prepare_nearest, seek
from analysis.attacks.search import as_column
from convzoo.checks import integer, number

NUDGE = 1e-6  # of a step, in the norm, so that an image on a boundary leaves it


def deepfool(
    logits_fn: Callable[[jax.Array], jax.Array],
    images: Any,
    labels: Any,
    norm: str = "l2",
    steps: int = 50,
    batch_size: int | None = None,
    candidates: int = 10,
    overshoot: float = 0.02,
) -> jax.Array:
    r"""Repeated steps to the nearest boundary of the model's linearization, until the class changes.

    .. math:: r = \arg\min_r \lVert r \rVert \ \text{such that} \
              z_k(x_t) - z_y(x_t) + \nabla (z_k - z_y) \cdot r = 0, \qquad
              x_{t+1} = \mathrm{clip}_{[0, 1]} \big( x + 1.02 \textstyle\sum r \big)

    towards the class k whose boundary is nearest. Steps are the shortest within [0, 1]: pixels at a limit stay, and
    others make up for them. Ten bisections then take back what the overshoot went too far.

    It assumes that the model is close to linear between an image and the boundary; a distance is an upper bound of
    the least one, and for networks a loose one: compare `ddn`, `fmn` and `fab`. An image that it leaves as it is may
    well have an adversarial neighbour, if the model hides its gradient.

    Args:
      logits_fn: (N, H, W, C) images in [0, 1] → (N, classes) logits.
      images: (N, H, W, C) floats in [0, 1].
      labels: (N,) the true classes.
      norm: `"l2"` or `"linf"`.
      steps: gradient steps, at most; each image stops at its first success.
      batch_size: images held at once; None: all.
      candidates: number of other classes to look at, the likeliest at the image; each costs a backward pass.
      overshoot: share by which the sum of the steps is exceeded.

    Returns:
      (N, H, W, C) images of another class, in [0, 1]; where none came up, or the image is misclassified already,
      the image itself.

    Raises:
      ValueError: images, labels, norm or numbers that are not of the above.

    Example:
      >>> linear = lambda images: (images[:, 0, 0] - 0.5) @ jnp.array([[1.0, -1.0]])
      >>> round(deepfool(linear, jnp.full((1, 1, 1, 1), 0.75), [0]).item(), 2)
      0.5
    """
    integer("steps", steps)
    integer("candidates", candidates)
    number("overshoot", overshoot, 0)
    logits_fn, images, goal, classes, threat = prepare_nearest(logits_fn, images, labels, norm, None, ("l2", "linf"))
    count = max(1, min(candidates, classes - 1))

    def attack(images, goal):
        images = jnp.asarray(images)
        state = Walk(images, jnp.asarray(np.zeros(images.shape, np.float32)), Nearest.at(images))
        rivals = likeliest(logits_fn, images, goal, count)
        return seek(_step, state, steps, logits_fn, images, goal, threat, rivals, overshoot)

    return execution.in_batches(attack, batch_size, images, goal)


class Walk(NamedTuple):
    """Images on their way to a boundary, one row an image.

    Attributes:
      images: (N, H, W, C) the current ones.
      change: (N, H, W, C) float32, the sum of the steps so far.
      nearest: of those evaluated.
    """

    images: jax.Array
    change: jax.Array
    nearest: Nearest


def _step(walk, logits_fn, images, goal, threat, rivals, overshoot):
    margin, gradient, rate, reached = nearest_boundary(walk.images, logits_fn, goal, rivals, threat)
    nearest = walk.nearest.update(walk.images, lengths(threat, walk.images - images), reached)
    gain = jnp.abs(margin) + NUDGE * rate
    step = jax.vmap(lambda image, gradient, gain: step_to_plane(image, gradient, gain, threat))
    done = jnp.isfinite(nearest.distance)
    change = walk.change + jnp.where(as_column(done), 0, step(walk.images, gradient, gain))
    moved = images + (jnp.asarray(1 + overshoot, jnp.float32) * change).astype(images.dtype)
    return Walk(jnp.where(as_column(done), walk.images, jnp.clip(moved, 0, 1)), change, nearest)
