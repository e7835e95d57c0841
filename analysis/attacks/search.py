"""The search that iterative attacks share: start, direction and projection as pieces, and a memory of the best image.

A search is a pytree of arrays with one row an image, for `analysis.execution.iterate` and under `jit`.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from analysis.attacks.goal import Goal
from analysis.attacks.losses import CROSS_ENTROPY
from analysis.attacks.threat import Threat


class Search(NamedTuple):
    """The images that an attack has come to, and the best of all that it evaluated.

    Attributes:
      images: (N, H, W, C) the current ones.
      best: (N, H, W, C) the best so far: success before failure, and among equals the largest loss.
      loss: (N,) float32, of the best.
      reached: (N,) whether the best reaches the goal.
    """

    images: jax.Array
    best: jax.Array
    loss: jax.Array
    reached: jax.Array

    @classmethod
    def at(cls, images: jax.Array) -> "Search":
        """A search that has evaluated nothing: any image, evaluated, is better than `best`."""
        count = len(images)  # made by NumPy, which needs no program for a new number of images
        return cls(images, images, jnp.asarray(np.full(count, -np.inf, np.float32)), jnp.asarray(np.zeros(count, bool)))

    def update(self, loss: jax.Array, reached: jax.Array) -> "Search":
        """The search once the current images are evaluated: the best of them and of those before.

        Example:
          >>> search = Search.at(jnp.zeros((1, 1, 1, 1))).update(jnp.array([2.0]), jnp.array([True]))
          >>> search._replace(images=jnp.ones((1, 1, 1, 1))).update(jnp.array([9.0]), jnp.array([False])).best.item()
          0.0
        """
        better = jnp.where(reached == self.reached, loss > self.loss, reached)
        best = jnp.where(as_column(better), self.images, self.best)
        return Search(self.images, best, jnp.where(better, loss, self.loss), self.reached | reached)


def outcome(
    images: jax.Array, logits_fn: Callable, goal: Goal, loss: Callable, draws: jax.Array | None = None
) -> tuple[jax.Array, jax.Array]:
    """The loss of each image, and whether it reaches the goal.

    Args:
      images: (N, H, W, C).
      logits_fn: images → logits, or one image and a key → logits of a model that draws random numbers.
      goal: of each image.
      loss: of `analysis.attacks.losses`.
      draws: (N, K) keys of a random model, K for each image; None: the model is not random.

    Returns:
      (N,) float32 losses and (N,) booleans; of a random model the mean over its draws, and the verdict of most.
    """
    if draws is None:
        logits = logits_fn(images)
        return loss(goal, logits), goal.reached(logits)
    # One image at a time, so that the noise of an example does not depend on who else is in its batch.
    of_one = jax.vmap(lambda image, key: logits_fn(image[None], key)[0])
    logits = jax.vmap(of_one, (None, 1))(images, draws)
    losses, reached = jax.vmap(lambda logits: (loss(goal, logits), goal.reached(logits)))(logits)
    return losses.mean(0), reached.mean(0) > 0.5


@jax.jit
def evaluate(
    search: Search,
    logits_fn: Callable,
    goal: Goal,
    loss: Callable = CROSS_ENTROPY,
    draws: jax.Array | None = None,
) -> Search:
    """The search once the current images are evaluated, without a gradient."""
    return search.update(*outcome(search.images, logits_fn, goal, loss, draws))


def evaluate_with_gradient(
    search: Search,
    logits_fn: Callable,
    goal: Goal,
    loss: Callable = CROSS_ENTROPY,
    draws: jax.Array | None = None,
) -> tuple[Search, jax.Array]:
    """The search once the current images are evaluated, and the gradient of the loss there: (N, H, W, C)."""
    losses, reached, gradient = slope(search.images, logits_fn, goal, loss, draws)
    return search.update(losses, reached), gradient


def slope(
    images: jax.Array, logits_fn: Callable, goal: Goal, loss: Callable, draws: jax.Array | None = None
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The loss and success of each image, and the gradient of the loss, from one forward pass.

    Arguments as those of `outcome`; returns (N,), (N,) and (N, H, W, C).
    """

    def objective(images):
        losses, reached = outcome(images, logits_fn, goal, loss, draws)
        return losses.sum(), (losses, reached)

    gradient, (losses, reached) = jax.grad(objective, has_aux=True)(images)
    return losses, reached, gradient


@jax.jit
def draw_start(images: jax.Array, keys: jax.Array, restart: jax.Array | int, threat: Threat) -> jax.Array:
    """Images drawn from the balls around others, in [0, 1].

    Args:
      images: (N, H, W, C) the centres.
      keys: (N,) one key an image.
      restart: number of the restart; each draws anew.
      threat: the ball.

    Returns:
      (N, H, W, C).
    """
    keys = jax.vmap(jax.random.fold_in, (0, None))(keys, restart)
    delta = jax.vmap(lambda key: threat.random_start(key, images.shape[1:], images.dtype))(keys)
    return project(images + delta, images, threat)


def ascend(
    images: jax.Array, gradient: jax.Array, centres: jax.Array, threat: Threat, step_size: jax.Array | float
) -> jax.Array:
    """One step of projected steepest ascent.

    Args:
      images: (N, H, W, C) the current ones.
      gradient: (N, H, W, C) of the loss there.
      centres: (N, H, W, C) the centres of the balls.
      threat: the ball.
      step_size: length of the step, in the threat's norm: a scalar, or (N,).

    Returns:
      (N, H, W, C) in the ball and in [0, 1].
    """
    length = jnp.asarray(step_size, images.dtype)
    direction = jax.vmap(threat.ascend)(inward(gradient, images))
    return project(images + (as_column(length) if length.ndim else length) * direction, centres, threat)


def inward(gradient: jax.Array, images: jax.Array) -> jax.Array:
    """The gradient without the parts that point out of [0, 1], along which a pixel at its limit cannot move.

    Example:
      >>> inward(jnp.array([1.0, -2.0, 3.0]), jnp.array([0.0, 0.0, 1.0])).tolist()
      [1.0, 0.0, 0.0]
    """
    stuck = ((images <= 0) & (gradient < 0)) | ((images >= 1) & (gradient > 0))
    return jnp.where(stuck, jnp.zeros((), gradient.dtype), gradient)


def as_column(values: jax.Array) -> jax.Array:
    """One number an image, in the shape that multiplies images: (N,) → (N, 1, 1, 1)."""
    return values[:, None, None, None]


def project(images: jax.Array, centres: jax.Array, threat: Threat) -> jax.Array:
    """Images brought into the balls around `centres` and into [0, 1]: (N, H, W, C)."""
    return jax.vmap(threat.nearest_image)(images, centres)
