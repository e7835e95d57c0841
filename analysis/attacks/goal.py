"""What gradient attacks climb, and one step of the climb."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from analysis import checks
from analysis.attacks.threat import Threat
from analysis.numerics import at_least_float32, entry_of


class Goal(NamedTuple):
    """Away from the labels, or towards the targets.

    Attributes:
      classes: (N,) the labels to leave, or the targets to reach.
      sign: (N,) +1 to leave, −1 to reach.
    """

    classes: jax.Array
    sign: jax.Array

    def loss(self, logits: jax.Array) -> jax.Array:
        """(N,) what the attack makes large: ± the cross-entropy of the classes, in float32."""
        likelihood = entry_of(jax.nn.log_softmax(at_least_float32(logits)), self.classes)
        return -self.sign * likelihood.astype(jnp.float32)

    def reached(self, logits: jax.Array) -> jax.Array:
        """(N,) whether the model's answer is not the label, or is the target."""
        return (jnp.argmax(logits, axis=1).astype(self.classes.dtype) == self.classes) == (self.sign < 0)


def prepare(
    logits_fn: Callable, images: Any, labels: Any, threat: Any, targets: Any
) -> tuple[jax.tree_util.Partial, Any, Goal]:
    """What gradient attacks share of checking: the function as a pytree, the images, and the goal.

    Raises:
      ValueError: images, labels, targets or threat that are none.
    """
    if not isinstance(threat, Threat):
        raise ValueError(f"threat={threat!r}: expected a threat model, such as attacks.Linf(8 / 255)")
    function, checked, labels = checks.inputs(logits_fn, images, labels)
    if targets is None:
        return function, checked, Goal(labels, jnp.ones(labels.shape, jnp.float32))
    targets = checks.as_labels(targets, checks.classes_of(function, checked), len(checked), "targets")
    return function, checked, Goal(targets, -jnp.ones(targets.shape, jnp.float32))


def climb(at: jax.Array, gradient: jax.Array, images: jax.Array, threat: Threat, step_size: Any) -> jax.Array:
    """One step of projected steepest ascent.

    Args:
      at: (N, H, W, C) where the attack stands.
      gradient: (N, H, W, C) of the loss there.
      images: (N, H, W, C) the centres of the balls.
      threat: the ball.
      step_size: length of the step, in the threat's norm.

    Returns:
      (N, H, W, C) in the ball and in [0, 1].
    """
    moved = at + jnp.asarray(step_size, at.dtype) * jax.vmap(threat.ascend)(gradient)
    return within(moved - images, images, threat)


def within(delta: jax.Array, images: jax.Array, threat: Threat) -> jax.Array:
    """The images plus perturbations, brought into the ball and into [0, 1]: (N, H, W, C).

    Clipping to [0, 1] comes last: it only brings an image nearer to one that lies in [0, 1].
    """
    return jnp.clip(images + jax.vmap(threat.project)(delta), 0, 1)
