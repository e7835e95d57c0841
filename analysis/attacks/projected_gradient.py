"""Projected gradient descent, the standard first-order attack.

References: Madry et al., 2017, arXiv:1706.06083; momentum: Dong et al., 2017, arXiv:1710.06081; gradients of random
models: Athalye et al., 2017, arXiv:1707.07397.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from analysis import checks, execution
from analysis.attacks.goal import check_threat, prepare_goal
from analysis.attacks.losses import loss_for
from analysis.attacks.search import Search, ascend, draw_start, evaluate, evaluate_with_gradient
from analysis.attacks.threat import Threat
from convzoo.checks import integer, number


def pgd(
    logits_fn: Callable[..., jax.Array],
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
    momentum: float = 0.0,
    loss: str = "ce",
    samples: int = 1,
) -> jax.Array:
    r"""Many small steps up a loss, each brought back into the ball.

    .. math:: x_{t+1} = \Pi_{[0, 1]} \Pi_{B(x, \epsilon)} \big( x_t + \alpha\, d(\nabla_x L(x_t, y)) \big)

    with d the steepest direction in the threat's norm, of a gradient that does not vanish where the model is
    confident (`attacks.losses`). Of all iterates of all restarts, the first and the last included, each
    image keeps one that fools the model, or if no iterate does, any: of these, the one of largest loss. More steps
    or restarts never lose a success.

    It assumes a gradient that points to where the loss grows. Its failure does not show that the ball holds no
    adversarial image: a model may hide its gradient (rounding, random layers, saturation), and a fixed step may be
    too long or too short; compare `apgd`, and attacks without gradients.

    Args:
      logits_fn: (N, H, W, C) images in [0, 1] → (N, classes) logits; a random model with several `samples` takes
        (1, H, W, C) and a key → (1, classes).
      images: (N, H, W, C) floats in [0, 1].
      labels: (N,) the true classes.
      threat: `attacks.Linf(eps)`, `attacks.L2(eps)` or `attacks.L1(eps)`; eps 0 gives the images back.
      steps: gradient steps of each restart.
      step_size: length α of a step in the threat's norm; None: 2.5 · eps / steps, which reaches across
        the ball from any start.
      key: from `jax.random.key`, for the random starts and samples. Image i of the call uses `fold_in(key, i)`,
        whatever the batch size.
      restarts: how often to start, each time elsewhere.
      targets: (N,) classes to be taken for; None: any but the label.
      random_start: start anywhere in the ball; False: at the image.
      batch_size: images held at once; None: all.
      momentum: share of the directions before that a step keeps, in [0, 1): g ← momentum · g + ∇L / mean |∇L|.
      loss: `"ce"`, `"margin"`, `"dlr"` (3 classes or more), or `"dlr-targeted"` (4 or more, with targets).
      samples: of 2 and more: the model is random, and each step climbs its mean loss over so many keys; an image
        fools it that fools most of them. A random model with its key held fixed is an ordinary function.

    Returns:
      (N, H, W, C) adversarial images, in [0, 1] and in the ball up to the rounding of their type.

    Raises:
      ValueError: images, labels, targets, threat or numbers that are not of the above, no key for a random
        start or samples, several restarts without a random start, or too few classes for the loss.

    Example:
      >>> from analysis.attacks import Linf
      >>> linear = lambda images: images[:, 0, 0] @ jnp.array([[1.0, -1.0]])
      >>> pgd(linear, jnp.full((1, 1, 1, 1), 0.5), [0], Linf(0.25), key=jax.random.key(0)).item()
      0.25
    """
    _check(steps, step_size, restarts, random_start, momentum, samples)
    check_threat(threat)
    if (random_start or samples > 1) and key is None:
        purpose = "a random start needs a key" if random_start else f"samples={samples} need a key"
        raise ValueError(f"{purpose}: give key=jax.random.key(0){', or random_start=False' if random_start else ''}")
    logits_fn, images, goal, classes = prepare_goal(logits_fn, images, labels, targets, random=samples > 1)
    ascended = loss_for(loss, classes)
    if loss == "dlr-targeted" and targets is None:
        raise ValueError("loss='dlr-targeted' needs targets: give targets=, use loss='dlr', or attacks.apgd")
    step_size = 2.5 * threat.eps / steps if step_size is None else step_size
    keys = checks.keys(key, len(images)) if random_start or samples > 1 else None

    def attack(images, goal, keys):
        images = jnp.asarray(images)
        search = Search.at(images)
        draws = Draws(keys, restarts, execution.Static(samples)) if samples > 1 else None
        for restart in range(restarts):
            if random_start:
                search = search._replace(images=draw_start(images, keys, restart, threat))
            climb = Climb(
                search, jnp.asarray(np.zeros(images.shape, images.dtype)), jnp.asarray(np.int32(restart * (steps + 1)))
            )
            arguments = logits_fn, images, goal, threat, step_size, momentum, ascended, draws
            climb = execution.iterate(_step, climb, steps, *arguments)
            search = evaluate(climb.search, logits_fn, goal, ascended, draws and draws.at(climb.step))
        return search.best

    return execution.in_batches(attack, batch_size, images, goal, keys)


class Climb(NamedTuple):
    """The search, with what a step keeps of those before it.

    Attributes:
      search: where the attack is, and its best.
      velocity: (N, H, W, C) the sum of gradients that momentum keeps.
      step: int32 scalar, counted over all restarts.
    """

    search: Search
    velocity: jax.Array
    step: jax.Array


class Draws(NamedTuple):
    """The keys of a random model, drawn anew at each step.

    Attributes:
      keys: (N,) one an image.
      stream: an integer that no random start uses.
      samples: draws of each image.
    """

    keys: jax.Array
    stream: int
    samples: execution.Static

    def at(self, step: jax.Array) -> jax.Array:
        """(N, K) keys."""

        def of_one(key):
            return jax.random.split(jax.random.fold_in(jax.random.fold_in(key, self.stream), step), self.samples.value)

        return jax.vmap(of_one)(self.keys)


def _step(climb, logits_fn, images, goal, threat, step_size, momentum, loss, draws):
    search, velocity, step = climb
    search, gradient = evaluate_with_gradient(search, logits_fn, goal, loss, draws and draws.at(step))
    velocity = jnp.asarray(momentum, gradient.dtype) * velocity + jax.vmap(_at_unit_mean)(gradient)
    return Climb(search._replace(images=ascend(search.images, velocity, images, threat, step_size)), velocity, step + 1)


def _at_unit_mean(gradient):
    """A gradient over the mean of its absolute values; zero stays zero, and tiny ones are not lost."""
    peak = jnp.max(jnp.abs(gradient))
    gradient = gradient / jnp.where(peak > 0, peak, 1)
    return gradient / jnp.maximum(jnp.mean(jnp.abs(gradient)), 1e-4).astype(gradient.dtype)


def _check(steps, step_size, restarts, random_start, momentum, samples):
    integer("steps", steps)
    integer("restarts", restarts)
    integer("samples", samples)
    number("momentum", momentum, 0, 1, below=True)
    if restarts > 1 and not random_start:
        raise ValueError(f"restarts={restarts} without a random start are all the same: use random_start=True")
    if step_size is not None and checks.is_concrete(step_size) and not 0 <= step_size < np.inf:
        raise ValueError(f"step_size={step_size!r}: expected a length that is finite and not negative")
