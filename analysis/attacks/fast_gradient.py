"""The fast gradient sign method, and its form in other norms.

Reference: Goodfellow, Shlens & Szegedy, 2014, arXiv:1412.6572.
"""

from collections.abc import Callable
from typing import Any

import jax

from analysis import execution
from analysis.attacks.goal import prepare
from analysis.attacks.search import ascend
from analysis.attacks.threat import Threat


def fgsm(
    logits_fn: Callable[[jax.Array], jax.Array],
    images: Any,
    labels: Any,
    threat: Threat,
    targets: Any = None,
    batch_size: int | None = None,
) -> jax.Array:
    r"""One step as long as the ball is wide, up the cross-entropy.

    .. math:: x' = \mathrm{clip}_{[0, 1]}\big( x + \epsilon\, \mathrm{sign}\, \nabla_x L(x, y) \big)

    in the Linf ball; in the L2 ball the gradient is divided by its length instead, and in the L1 ball the percent of
    the pixels where it is largest take equal parts of the step. Parts that point out of [0, 1] are left out.

    It assumes that the model is linear in the whole ball. Its failure shows little: most networks bend before, and
    `pgd` and `apgd` fool them at the same radius.

    Args:
      logits_fn: (N, H, W, C) images in [0, 1] → (N, classes) logits.
      images: (N, H, W, C) floats in [0, 1].
      labels: (N,) the true classes.
      threat: `attacks.Linf(eps)`, `attacks.L2(eps)` or `attacks.L1(eps)`; eps 0 gives the images back.
      targets: (N,) classes to be taken for; None: any but the label.
      batch_size: images held at once; None: all.

    Returns:
      (N, H, W, C) adversarial images, in [0, 1] and in the ball up to the rounding of their type.

    Raises:
      ValueError: images, labels, targets or threat that are not of the above.

    Example:
      >>> import jax.numpy as jnp
      >>> from analysis.attacks import Linf
      >>> linear = lambda images: images[:, 0, 0] @ jnp.array([[1.0, -1.0]])
      >>> fgsm(linear, jnp.full((1, 1, 1, 1), 0.5), [0], Linf(0.25)).item()
      0.25
    """
    logits_fn, images, goal = prepare(logits_fn, images, labels, threat, targets)
    return execution.in_batches(lambda images, goal: _fgsm(logits_fn, images, goal, threat), batch_size, images, goal)


@jax.jit
def _fgsm(logits_fn, images, goal, threat):
    gradient = jax.grad(lambda images: goal.loss(logits_fn(images)).sum())(images)
    return ascend(images, gradient, images, threat, threat.eps)
