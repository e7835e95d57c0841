"""Projected gradient descent, the standard first-order attack.

Reference: Madry et al., 2017, arXiv:1706.06083.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from analysis import checks, execution
from analysis.attacks.goal import prepare
from analysis.attacks.search import Search, ascend, draw_start, evaluate, evaluate_with_gradient
from analysis.attacks.threat import Threat
from convzoo.checks import integer


def pgd(
    logits_fn: Callable[[jax.Array], jax.Array],
    images: Any,
    labels: Any,
    threat: Threat,
    steps: int = 40,
    step_size: Any = None,
    key: jax.Array | None = None,
    restarts: int = 1,
    targets: Any = None,
    random_start: bool = True,
    batch_size: int | None = None,
) -> jax.Array:
    r"""Many small steps up the cross-entropy, each brought back into the ball.

    .. math:: x_{t+1} = \Pi_{[0, 1]} \Pi_{B(x, \epsilon)} \big( x_t + \alpha\, d(\nabla_x L(x_t, y)) \big)

    with d the steepest direction in the threat's norm, of a gradient that does not vanish where the model is
    confident (`attacks.goal.Goal.loss`). Of all iterates of all restarts, the first and the last included, each
    image keeps one that fools the model, or if no iterate does, any: of these, the one of largest loss. More steps
    or restarts never lose a success.

    Args:
      logits_fn: (N, H, W, C) images in [0, 1] → (N, classes) logits.
      images: (N, H, W, C) floats in [0, 1].
      labels: (N,) the true classes.
      threat: `attacks.Linf(eps)` or `attacks.L2(eps)`; eps 0 gives the images back.
      steps: gradient steps of each restart.
      step_size: length α of a step in the threat's norm; None: 2.5 · eps / steps, which reaches across
        the ball from any start.
      key: from `jax.random.key`, for the random starts. Image i of the call uses `fold_in(key, i)`, whatever
        the batch size.
      restarts: how often to start, each time elsewhere.
      targets: (N,) classes to be taken for; None: any but the label.
      random_start: start anywhere in the ball; False: at the image.
      batch_size: images held at once; None: all.

    Returns:
      (N, H, W, C) adversarial images, in [0, 1] and in the ball up to the rounding of their type.

    Raises:
      ValueError: images, labels, targets, threat or numbers that are not of the above, no key for a random
        start, or several restarts without one.

    Example:
      >>> from analysis.attacks import Linf
      >>> linear = lambda images: images[:, 0, 0] @ jnp.array([[1.0, -1.0]])
      >>> pgd(linear, jnp.full((1, 1, 1, 1), 0.5), [0], Linf(0.25), key=jax.random.key(0)).item()
      0.25
    """
    integer("steps", steps)
    integer("restarts", restarts)
    if restarts > 1 and not random_start:
        raise ValueError(f"restarts={restarts} without a random start are all the same: use random_start=True")
    if step_size is not None and checks.is_concrete(step_size) and not 0 <= step_size < np.inf:
        raise ValueError(f"step_size={step_size!r}: expected a length that is finite and not negative")
    logits_fn, images, goal = prepare(logits_fn, images, labels, threat, targets)
    step_size = 2.5 * threat.eps / steps if step_size is None else step_size
    if random_start and key is None:
        raise ValueError("a random start needs a key: give key=jax.random.key(0), or random_start=False")
    keys = checks.keys(key, len(images)) if random_start else None

    def attack(images, goal, keys):
        images = jnp.asarray(images)
        search = Search.at(images)
        for restart in range(restarts):
            if random_start:
                search = search._replace(images=draw_start(images, keys, restart, threat))
            search = execution.iterate(_step, search, steps, logits_fn, images, goal, threat, step_size)
            search = evaluate(search, logits_fn, goal)
        return search.best

    return execution.in_batches(attack, batch_size, images, goal, keys)


def _step(search, logits_fn, images, goal, threat, step_size):
    search, gradient = evaluate_with_gradient(search, logits_fn, goal)
    return search._replace(images=ascend(search.images, gradient, images, threat, step_size))
