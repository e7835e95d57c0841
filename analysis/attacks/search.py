"""The search that iterative attacks share: start, direction and projection as pieces, and a memory of the best image.

A search is a pytree of arrays with one row an image, for `analysis.execution.iterate` and under `jit`.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from analysis.attacks.goal import Goal
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
        best = jnp.where(better[:, None, None, None], self.images, self.best)
        return Search(self.images, best, jnp.where(better, loss, self.loss), self.reached | reached)


@jax.jit
def evaluate(search: Search, logits_fn: Callable, goal: Goal) -> Search:
    """The search once the current images are evaluated, without a gradient."""
    logits = logits_fn(search.images)
    return search.update(goal.loss(logits), goal.reached(logits))


def evaluate_with_gradient(search: Search, logits_fn: Callable, goal: Goal) -> tuple[Search, jax.Array]:
    """The search once the current images are evaluated, and the gradient of the loss there: (N, H, W, C)."""

    def objective(images):
        logits = logits_fn(images)
        loss = goal.loss(logits)
        return loss.sum(), (loss, goal.reached(logits))

    gradient, outcome = jax.grad(objective, has_aux=True)(search.images)
    return search.update(*outcome), gradient


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
      step_size: length of the step, in the threat's norm.

    Returns:
      (N, H, W, C) in the ball and in [0, 1].
    """
    return project(images + jnp.asarray(step_size, images.dtype) * jax.vmap(threat.ascend)(gradient), centres, threat)


def project(images: jax.Array, centres: jax.Array, threat: Threat) -> jax.Array:
    """Images brought into the balls around `centres` and into [0, 1]: (N, H, W, C).

    Clipping to [0, 1] comes last: it only brings an image nearer to a centre that lies in [0, 1].
    """
    return jnp.clip(centres + jax.vmap(threat.project)(images - centres), 0, 1)
