"""Losses that gradient attacks increase, as one table: each in a form whose gradient does not vanish in float32.

Reference: Croce & Hein, 2020, arXiv:2003.01690, for the difference-of-logits ratios.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.tree_util import Partial

from analysis.attacks.goal import Goal
from analysis.execution import Static
from analysis.numerics import at_least_float32, entry_of
from convzoo.checks import choice

SMALLEST = 1e-12
"""The least denominator of a ratio: of logits that are all the same, which a ratio cannot tell apart."""


class Loss(NamedTuple):
    """A loss, and the number of classes that it needs.

    Attributes:
      function: of a goal and (N, classes) logits; gives (N,) float32, which grows towards the goal.
      classes: the least number of classes.
    """

    function: Partial
    classes: int


def margin(goal: Goal, logits: jax.Array) -> jax.Array:
    r"""The margin by which the best other class beats the label, or the target beats the best other class.

    .. math:: \ell = \pm \big( \max_{k \ne y} z_k - z_y \big)

    Args:
      goal: the classes to leave or to reach.
      logits: (N, classes).

    Returns:
      (N,) float32; positive where the goal is reached.

    Example:
      >>> margin(Goal(jnp.array([0]), jnp.ones(1)), jnp.array([[3.0, 1.0, 2.0]])).tolist()
      [-1.0]
    """
    logits = at_least_float32(logits)
    is_class = jax.nn.one_hot(goal.classes, logits.shape[1], dtype=bool)
    others = jnp.max(jnp.where(is_class, jnp.finfo(logits.dtype).min, logits), axis=1)
    return goal.sign * (others - entry_of(logits, goal.classes)).astype(jnp.float32)


def dlr(goal: Goal, logits: jax.Array) -> jax.Array:
    r"""The difference-of-logits ratio: the margin, in units of the span of the three largest logits.

    .. math:: \ell = \pm \frac{\max_{k \ne y} z_k - z_y}{z_{\pi_1} - z_{\pi_3}}

    Neither the scale of the logits nor a constant added to them changes it.

    Args:
      goal: the classes to leave or to reach.
      logits: (N, classes), at least 3 classes.

    Returns:
      (N,) float32; positive where the goal is reached.

    Example:
      >>> dlr(Goal(jnp.array([0]), jnp.ones(1)), jnp.array([[300.0, 100.0, 200.0]])).tolist()
      [-0.5]
    """
    largest = jax.lax.top_k(at_least_float32(logits), 3)[0]
    return margin(goal, logits) / jnp.maximum(largest[:, 0] - largest[:, 2], SMALLEST).astype(jnp.float32)


def dlr_targeted(goal: Goal, logits: jax.Array) -> jax.Array:
    r"""The targeted difference-of-logits ratio of two classes, the label y and another class t.

    .. math:: \ell = \frac{z_t - z_y}{z_{\pi_1} - (z_{\pi_3} + z_{\pi_4}) / 2}

    Args:
      goal: one of the two classes in `classes`, the other in `rivals`.
      logits: (N, classes), at least 4 classes.

    Returns:
      (N,) float32.

    Example:
      >>> goal = Goal(jnp.array([0]), jnp.ones(1), jnp.array([1]))
      >>> dlr_targeted(goal, jnp.array([[5.0, 3.0, 2.0, 0.0, -9.0]])).tolist()
      [-0.5]
    """
    assert goal.rivals is not None, "a loss of two classes needs a goal with rivals"
    logits = at_least_float32(logits)
    largest = jax.lax.top_k(logits, 4)[0]
    span = jnp.maximum(largest[:, 0] - (largest[:, 2] + largest[:, 3]) / 2, SMALLEST)
    return goal.sign * ((entry_of(logits, goal.rivals) - entry_of(logits, goal.classes)) / span).astype(jnp.float32)


def _loss(function: Any, classes: int) -> Loss:
    return Loss(Partial(Static(function)), classes)


LOSSES: dict[str, Loss] = {
    "ce": _loss(Goal.loss, 1),
    "margin": _loss(margin, 1),
    "dlr": _loss(dlr, 3),
    "dlr-targeted": _loss(dlr_targeted, 4),
}
"""By their names in `pgd` and `apgd`; `"ce"` is the log-odds, which order images as the cross-entropy does."""

CROSS_ENTROPY = LOSSES["ce"].function


def loss_for(name: str, classes: int) -> Partial:
    """A loss by name, as an argument of a compiled program.

    Raises:
      ValueError: an unknown name, or too few classes for that loss.

    Example:
      >>> loss_for("dlr", 2)
      Traceback (most recent call last):
      ValueError: loss='dlr' with 2 classes: expected at least 3 classes; use loss='margin' or 'ce'
    """
    choice("loss", name, LOSSES)
    if classes < LOSSES[name].classes:
        raise ValueError(
            f"loss={name!r} with {classes} classes: expected at least {LOSSES[name].classes} classes; "
            "use loss='margin' or 'ce'"
        )
    return LOSSES[name].function
