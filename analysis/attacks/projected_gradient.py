"""Projected gradient descent, the standard first-order attack.

Reference: Madry et al., 2017, arXiv:1706.06083.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from analysis import checks, execution
from analysis.attacks.goal import climb, prepare, within
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

    with d the steepest direction in the threat's norm. Of all iterates of all restarts, the first and
    the last included, each image keeps the one that fools the model, and among those, or where there is
    none, the one of largest loss: more steps or restarts never lose what was found.

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
        nothing = jnp.full(len(images), -jnp.inf, jnp.float32), jnp.zeros(len(images), bool)
        search = _Search(images, images, *nothing)
        for restart in range(restarts):
            if random_start:
                search = search._replace(at=_start(images, keys, restart, threat))
            search = execution.iterate(_step, search, steps, logits_fn, images, goal, threat, step_size)
            search = _look(search, logits_fn, goal)
        return search.best

    return execution.in_batches(attack, batch_size, images, goal, keys)


class _Search(NamedTuple):
    """Where each image's search stands, and the best it has seen: (N, H, W, C) twice, (N,) twice."""

    at: jax.Array
    best: jax.Array
    loss: jax.Array
    reached: jax.Array

    def seen(self, loss: jax.Array, reached: jax.Array) -> "_Search":
        """The search once it knows of where it stands."""
        better = jnp.where(reached == self.reached, loss > self.loss, reached)
        best = jnp.where(better[:, None, None, None], self.at, self.best)
        return _Search(self.at, best, jnp.where(better, loss, self.loss), self.reached | reached)


def _step(search, logits_fn, images, goal, threat, step_size):
    def objective(at):
        logits = logits_fn(at)
        loss = goal.loss(logits)
        return loss.sum(), (loss, goal.reached(logits))

    gradient, outcome = jax.grad(objective, has_aux=True)(search.at)
    return search.seen(*outcome)._replace(at=climb(search.at, gradient, images, threat, step_size))


@jax.jit
def _start(images, keys, restart, threat):
    keys = jax.vmap(jax.random.fold_in, (0, None))(keys, restart)
    delta = jax.vmap(lambda key: threat.random_start(key, images.shape[1:], images.dtype))(keys)
    return within(delta, images, threat)


@jax.jit
def _look(search, logits_fn, goal):
    logits = logits_fn(search.at)
    return search.seen(goal.loss(logits), goal.reached(logits))
