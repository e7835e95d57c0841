"""The search that minimal attacks share: the nearest image of the goal so far, and a last cut along a line.

Like a bounded search it is a pytree of arrays with one row an image, for `analysis.execution.iterate` and under `jit`.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from analysis import execution
from analysis.attacks.goal import Goal, prepare_goal
from analysis.attacks.search import as_column
from analysis.attacks.threat import NORMS, Threat
from convzoo.checks import choice


class Nearest(NamedTuple):
    """The nearest images that reach the goal, of all that an attack evaluated.

    Attributes:
      images: (N, H, W, C) the images themselves, until the goal is reached.
      distance: (N,) float32, in the norm of the attack; inf: not reached. An image that reaches the goal unchanged
        has distance 0, and nothing is nearer.
    """

    images: jax.Array
    distance: jax.Array

    @classmethod
    def at(cls, images: jax.Array) -> "Nearest":
        """No image that reaches the goal."""
        return cls(images, jnp.asarray(np.full(len(images), np.inf, np.float32)))

    def update(self, images: jax.Array, distance: jax.Array, reached: jax.Array) -> "Nearest":
        """The nearest once more images are evaluated.

        Example:
          >>> one = jnp.ones((1, 1, 1, 1))
          >>> nearest = Nearest.at(0 * one).update(one, jnp.array([1.0]), jnp.array([True]))
          >>> nearest.update(one / 2, jnp.array([0.5]), jnp.array([False])).distance.item()
          1.0
        """
        nearer = reached & (distance < self.distance)
        return Nearest(jnp.where(as_column(nearer), images, self.images), jnp.where(nearer, distance, self.distance))


def prepare_nearest(
    logits_fn: Callable, images: Any, labels: Any, norm: str, targets: Any, norms: Iterable[str] = NORMS
) -> tuple[jax.tree_util.Partial, Any, Goal, int, Threat]:
    """The arguments that minimal attacks share, checked.

    Args:
      logits_fn: (N, H, W, C) images → (N, classes) logits.
      images: (N, H, W, C) floats in [0, 1].
      labels: (N,) the true classes.
      norm: of the distance.
      targets: (N,) classes to be taken for; None: any but the label.
      norms: that the attack has.

    Returns:
      The function as a pytree, the images, the goal, the number of classes, and a ball of radius 0 in the norm.

    Raises:
      ValueError: arguments of another kind, shape or range.
    """
    choice("norm", norm, norms)
    return *prepare_goal(logits_fn, images, labels, targets), NORMS[norm](0.0)


def lengths(threat: Threat, delta: jax.Array) -> jax.Array:
    """(N,) float32 lengths of perturbations, in the norm of a threat."""
    return jax.vmap(threat.norm)(delta).astype(jnp.float32)


class Descent(NamedTuple):
    """A search in balls or on spheres whose radius closes in on the boundary, one row an image.

    Attributes:
      images: (N, H, W, C) the current ones.
      radius: (N,) of their balls.
      nearest: of those evaluated.
      step: int32 scalar.
    """

    images: jax.Array
    radius: jax.Array
    nearest: Nearest
    step: jax.Array

    @classmethod
    def at(cls, images: jax.Array, radius: float) -> "Descent":
        """The start at images, with one radius for all."""
        radii = jnp.asarray(np.full(len(images), radius, np.float32))
        return cls(images, radii, Nearest.at(images), jnp.asarray(np.int32(0)))


def seek(
    step: Callable[..., Any],
    state: Any,
    steps: int,
    logits_fn: Callable,
    images: jax.Array,
    goal: Goal,
    threat: Threat,
    *args: Any,
) -> jax.Array:
    """The nearest images that a search comes to, after a last evaluation and a bisection.

    Args:
      step: (state, logits_fn, images, goal, threat, *args) → the state after a step.
      state: a named tuple with the current `images` and the `nearest` of those evaluated.
      steps: number of them.
      logits_fn: images → logits.
      images: (N, H, W, C) the images attacked.
      goal: of each image.
      threat: its norm measures distance.
      *args: what else a step takes.

    Returns:
      (N, H, W, C); images without a nearest one keep themselves.
    """
    state = execution.iterate(step, state, steps, logits_fn, images, goal, threat, *args)
    nearest = evaluate_nearest(state.nearest, state.images, logits_fn, images, goal, threat)
    return cut(nearest, logits_fn, images, goal, threat).images


class Cut(NamedTuple):
    """A bisection between images and the nearest ones so far.

    Attributes:
      nearest: so far.
      ends: (N, H, W, C) that reach the goal.
      low: (N,) share of the way that does not reach it.
      high: (N,) share that does.
    """

    nearest: Nearest
    ends: jax.Array
    low: jax.Array
    high: jax.Array


def cut(
    nearest: Nearest, logits_fn: Callable, images: jax.Array, goal: Goal, threat: Threat, halvings: int = 10
) -> Nearest:
    """The nearest after a bisection on the lines from the images to it: never farther, and still at the goal.

    Args:
      nearest: what an attack has come to.
      logits_fn: images → logits.
      images: (N, H, W, C) the images attacked.
      goal: of each image.
      threat: its norm measures distance.
      halvings: forward passes.

    Returns:
      The nearest; images without one keep themselves.
    """
    zeros = jnp.asarray(np.zeros(len(images), np.float32))
    state = Cut(nearest, nearest.images, zeros, jnp.asarray(np.ones(len(images), np.float32)))
    return execution.iterate(_halve, state, halvings, logits_fn, images, goal, threat).nearest


def _halve(state, logits_fn, images, goal, threat):
    nearest, ends, low, high = state
    middle = (low + high) / 2
    between = jnp.clip(images + as_column(middle).astype(images.dtype) * (ends - images), 0, 1)
    reached = goal.reached(logits_fn(between))
    # An image without an end is its own: it lies between itself and itself, and does not reach the goal.
    nearest = nearest.update(between, lengths(threat, between - images), reached & jnp.isfinite(nearest.distance))
    return Cut(nearest, ends, jnp.where(reached, low, middle), jnp.where(reached, middle, high))


@jax.jit
def evaluate_nearest(
    nearest: Nearest, candidates: jax.Array, logits_fn: Callable, images: jax.Array, goal: Goal, threat: Threat
) -> Nearest:
    """The nearest once (N, H, W, C) candidates are evaluated."""
    return nearest.update(candidates, lengths(threat, candidates - images), goal.reached(logits_fn(candidates)))


def annealed(step: jax.Array, steps: jax.Array | int, first: float, last: float) -> jax.Array:
    """Half a cosine from `first`, at step 0, to `last`, at step `steps`.

    Example:
      >>> [annealed(jnp.int32(step), 2, 3.0, 1.0).item() for step in (0, 2)]
      [3.0, 1.0]
    """
    share = step.astype(jnp.float32) / jnp.asarray(steps, jnp.float32)
    return last + (first - last) * (1 + jnp.cos(jnp.pi * share)) / 2
