"""Goals: the classes to leave or to reach, the loss that gradient attacks increase, and the test for success."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from analysis import checks, execution
from analysis.attacks.threat import Threat
from analysis.numerics import at_least_float32, entry_of


class Goal(NamedTuple):
    """Away from the labels, or towards the targets.

    Attributes:
      classes: (N,) the labels to leave, or the targets to reach.
      sign: (N,) +1 to leave, −1 to reach.
      rivals: (N,) the class on the other side, for losses of two classes: the one to be taken for, or the label to
        leave; None: no such loss.
    """

    classes: jax.Array
    sign: jax.Array
    rivals: jax.Array | None = None

    def loss(self, logits: jax.Array) -> jax.Array:
        r"""The log-odds against the label, or for the target, which order images as the cross-entropy does.

        .. math:: \ell = \pm \Big( \log \sum_{k \ne y} e^{z_k} - z_y \Big), \qquad
                  \text{cross-entropy} = \log(1 + e^{\pm \ell})

        The cross-entropy's gradient is this one times 1 − p(y), which float32 rounds to zero for confident models.
        Attacks only follow the direction of a gradient, which is the same, and here never vanishes.

        Args:
          logits: (N, classes).

        Returns:
          (N,) float32, what the attack makes large.

        Example:
          >>> goal = Goal(jnp.array([0]), jnp.ones(1))
          >>> jax.grad(lambda logits: goal.loss(logits).sum())(jnp.array([[100.0, 0.0]])).tolist()
          [[-1.0, 1.0]]
        """
        logits = at_least_float32(logits)
        is_class = jax.nn.one_hot(self.classes, logits.shape[1], dtype=bool)
        others = jax.nn.logsumexp(jnp.where(is_class, jnp.finfo(logits.dtype).min, logits), axis=1)
        return self.sign * (others - entry_of(logits, self.classes)).astype(jnp.float32)

    def reached(self, logits: jax.Array) -> jax.Array:
        """(N,) whether the model's answer is another class than the label, or is the target."""
        return (jnp.argmax(logits, axis=1).astype(self.classes.dtype) == self.classes) == (self.sign < 0)


def prepare(
    logits_fn: Callable, images: Any, labels: Any, threat: Any, targets: Any
) -> tuple[jax.tree_util.Partial, Any, Goal]:
    """The arguments that bounded attacks share, checked: the function as a pytree, the images, and the goal.

    Raises:
      ValueError: images, labels, targets or threat of another kind, shape or range.
    """
    check_threat(threat)
    return prepare_goal(logits_fn, images, labels, targets)[:3]


def check_threat(threat: Any) -> None:
    """Refuse a threat that is not a `Threat`."""
    if not isinstance(threat, Threat):
        raise ValueError(f"threat={threat!r}: expected a threat model, such as attacks.Linf(8 / 255)")


def prepare_goal(
    logits_fn: Callable, images: Any, labels: Any, targets: Any, random: bool = False
) -> tuple[jax.tree_util.Partial, Any, Goal, int]:
    """The arguments that all attacks share, checked.

    Args:
      logits_fn: (N, H, W, C) images → (N, classes) logits.
      images: (N, H, W, C) floats in [0, 1].
      labels: (N,) the true classes.
      targets: (N,) classes to be taken for; None: any but the label.
      random: the function takes a key as well, as in `logits_fn(images, key)`.

    Returns:
      The function as a pytree, the images, the goal, and the number of classes.

    Raises:
      ValueError: images, labels or targets of another kind, shape or range, or a single logit.
    """
    function, array = execution.as_argument(logits_fn), checks.as_images(images)
    plain = jax.tree_util.Partial(_with_some_key, function) if random else function
    classes = checks.several(checks.classes_of(plain, array))
    labels = checks.as_labels(labels, classes, len(array))
    # Signs are made by NumPy, which needs no program for a new number of images.
    if targets is None:
        return function, array, Goal(labels, jnp.asarray(np.ones(labels.shape, np.float32)), labels), classes
    targets = checks.as_labels(targets, classes, len(array), "targets")
    return function, array, Goal(targets, jnp.asarray(-np.ones(targets.shape, np.float32)), labels), classes


@functools.partial(jax.jit, static_argnums=3)
def likeliest(logits_fn: Callable, images: jax.Array, goal: Goal, count: int) -> jax.Array:
    """(count, N) the classes that a model thinks likeliest, but those of the goal, the likeliest first.

    Example:
      >>> logits_fn = jax.tree_util.Partial(lambda images: images[:, 0, 0])
      >>> goal = Goal(jnp.array([0]), jnp.ones(1))
      >>> likeliest(logits_fn, jnp.array([[[[3.0, 1.0, 2.0]]]]), goal, 2).tolist()
      [[2], [1]]
    """
    logits = logits_fn(images)
    is_class = jax.nn.one_hot(goal.classes, logits.shape[1], dtype=bool)
    return jax.lax.top_k(jnp.where(is_class, jnp.finfo(logits.dtype).min, logits), count)[1].T


def _with_some_key(function, images):
    return function(images, jax.random.key(0))
