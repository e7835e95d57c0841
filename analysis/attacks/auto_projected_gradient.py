"""Auto-PGD: projected gradient ascent that chooses its own step sizes.

References: Croce & Hein, 2020, arXiv:2003.01690; in the L1 ball: Croce & Hein, 2021, arXiv:2103.01208.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from analysis import checks, execution
from analysis.attacks.goal import Goal, check_threat, likeliest, prepare_goal
from analysis.attacks.losses import loss_for
from analysis.attacks.search import Search, as_column, ascend, draw_start, evaluate, inward, project, slope
from analysis.attacks.threat import L1, Threat
from convzoo.checks import integer

RIVALS = 9  # classes that `"dlr-targeted"` tries without targets, as AutoAttack does
MOMENTUM = 0.75  # share of the new step in the move
RISES = 0.75  # share of steps that must raise the loss, or the step size is halved
FIRST, SHRINK, LEAST = 0.22, 0.03, 0.06  # periods between checkpoints, as shares of all steps
SPARSE_PERIOD, SPARSE_START, SPARSE_SHARE = 0.04, 0.2, 1.5  # of L1: period, values moved at first, and their divisor
SPARSE_SHRINK, SPARSE_LEAST, SPARSER = 1.5, 0.1, 0.95  # of L1: step sizes, and the support that counts as sparser


def apgd(
    logits_fn: Callable[[jax.Array], jax.Array],
    images: Any,
    labels: Any,
    threat: Threat,
    loss: str = "ce",
    steps: int = 100,
    restarts: int = 1,
    targets: Any = None,
    key: jax.Array | None = None,
    batch_size: int | None = None,
) -> jax.Array:
    r"""Projected gradient ascent whose step is halved, image by image, when the loss stops growing.

    .. math:: z = \Pi\big( x_t + \eta\, d(\nabla_x L(x_t)) \big), \qquad
              x_{t+1} = \Pi\big( x_t + 0.75\, (z - x_t) + 0.25\, (x_t - x_{t-1}) \big)

    with η = 2ε at first. At checkpoints, whose distance shrinks from 22 % to 6 % of the steps, η is halved, and the
    search resumes at its best point, if fewer than 75 % of the steps raised the loss, or if η was kept at the last
    checkpoint and the largest loss has not grown since. In the L1 ball steps are sparse and without momentum: they
    move 1/1.5 of as many values as the best image differs in, and η falls from ε to ε/10 until that image gets sparser.

    Of all iterates of all restarts, each image keeps one that fools the model, or if no iterate does, any: of these,
    the one of largest loss. The loss `"dlr-targeted"` without targets makes an attack towards each of the nine
    likeliest other classes.

    It assumes a gradient that points to where the loss grows, and no step size. Its failure does not show that the
    ball holds no adversarial image: a model may hide its gradient (rounding, random layers, saturation). Several
    losses, restarts, and attacks without gradients, together, are better evidence.

    Args:
      logits_fn: (N, H, W, C) images in [0, 1] → (N, classes) logits.
      images: (N, H, W, C) floats in [0, 1].
      labels: (N,) the true classes.
      threat: `attacks.Linf(eps)`, `attacks.L2(eps)` or `attacks.L1(eps)`; eps 0 gives the images back.
      loss: `"ce"`, `"margin"`, `"dlr"` (3 classes or more), or `"dlr-targeted"` (4 or more).
      steps: gradient steps of each restart.
      restarts: how often to start, each time elsewhere in the ball; with `"dlr-targeted"`, for each class.
      targets: (N,) classes to be taken for; None: any but the label.
      key: from `jax.random.key`, for the random starts. Image i of the call uses `fold_in(key, i)`, whatever
        the batch size.
      batch_size: images held at once; None: all.

    Returns:
      (N, H, W, C) adversarial images, in [0, 1] and in the ball up to the rounding of their type.

    Raises:
      ValueError: images, labels, targets, threat or numbers that are not of the above, no key, or too few classes
        for the loss.

    Example:
      >>> from analysis.attacks import Linf
      >>> linear = lambda images: images[:, 0, 0] @ jnp.array([[1.0, -1.0]])
      >>> apgd(linear, jnp.full((1, 1, 1, 1), 0.5), [0], Linf(0.25), steps=5, key=jax.random.key(0)).item()
      0.25
    """
    integer("steps", steps)
    integer("restarts", restarts)
    check_threat(threat)
    logits_fn, images, goal, classes = prepare_goal(logits_fn, images, labels, targets)
    ascended = loss_for(loss, classes)
    if key is None:
        raise ValueError("the random starts need a key: give key=jax.random.key(0)")
    keys = checks.keys(key, len(images))
    rivals = min(RIVALS, classes - 1) if loss == "dlr-targeted" and targets is None else 0
    periods = jnp.asarray(_sparse_periods(steps) if isinstance(threat, L1) else _periods(steps))

    def attack(images, goal, keys):
        images = jnp.asarray(images)
        search = Search.at(images)
        others = likeliest(logits_fn, images, goal, rivals) if rivals else None
        for start in range(restarts * max(rivals, 1)):
            search = search._replace(images=draw_start(images, keys, start, threat))
            towards = _towards(goal, others, start // restarts) if rivals else goal
            ascent = Ascent.at(search, threat)
            ascent = execution.iterate(_step, ascent, steps, logits_fn, images, towards, threat, ascended, periods)
            search = evaluate(ascent.search, logits_fn, towards, ascended)
        return search.best

    return execution.in_batches(attack, batch_size, images, goal, keys)


class Ascent(NamedTuple):
    """The search of one restart, with what decides on its step sizes; one row an image.

    Attributes:
      search: where the attack is, and its best of all restarts.
      previous: (N, H, W, C) the images before.
      top: (N, H, W, C) of the largest loss in this restart.
      top_gradient: (N, H, W, C) there.
      top_loss: (N,) there.
      loss: (N,) at the images before.
      step_size: (N,).
      rises: (N,) steps since the last checkpoint that raised the loss.
      kept: (N,) whether the last checkpoint kept the step size.
      checked: (N,) the largest loss at the last checkpoint.
      support: (N,) values that the top image changed at the last checkpoint, as a share of all; of L1.
      share: (N,) values that a step moves, as a share of all; of L1.
      step: int32 scalar.
    """

    search: Search
    previous: jax.Array
    top: jax.Array
    top_gradient: jax.Array
    top_loss: jax.Array
    loss: jax.Array
    step_size: jax.Array
    rises: jax.Array
    kept: jax.Array
    checked: jax.Array
    support: jax.Array
    share: jax.Array
    step: jax.Array

    @classmethod
    def at(cls, search: Search, threat: Threat) -> "Ascent":
        """The start of an ascent at the current images of a search."""
        return _start(search, threat)


@jax.jit
def _start(search, threat):
    images, rows = search.images, search.loss.shape
    first = (1 if isinstance(threat, L1) else 2) * jnp.asarray(threat.eps, jnp.float32)
    return Ascent(
        search=search,
        previous=images,
        top=images,
        top_gradient=jnp.zeros_like(images),
        top_loss=jnp.full(rows, -jnp.inf),
        loss=jnp.full(rows, jnp.inf),
        step_size=jnp.full(rows, first),
        rises=jnp.zeros(rows),
        kept=jnp.zeros(rows, bool),
        checked=jnp.full(rows, jnp.inf),
        support=jnp.ones(rows),
        share=jnp.full(rows, SPARSE_START),
        step=jnp.int32(0),
    )


def _step(ascent, logits_fn, images, goal, threat, loss, periods):
    losses, reached, gradient = slope(ascent.search.images, logits_fn, goal, loss)
    better = losses > ascent.top_loss
    ascent = ascent._replace(
        search=ascent.search.update(losses, reached),
        top=_where(better, ascent.search.images, ascent.top),
        top_gradient=_where(better, gradient, ascent.top_gradient),
        top_loss=jnp.maximum(losses, ascent.top_loss),
        rises=ascent.rises + (losses > ascent.loss).astype(jnp.float32),
        loss=losses,
        step=ascent.step + 1,
    )
    sparse = isinstance(threat, L1)
    period = periods[ascent.step - 1]
    ascent, resumes = _sparse_check(ascent, period, images, threat) if sparse else _check(ascent, period)
    here = _where(resumes, ascent.top, ascent.search.images)
    gradient = _where(resumes, ascent.top_gradient, gradient)
    move = _sparse_move if sparse else _move
    return ascent._replace(
        search=ascent.search._replace(images=move(ascent, here, gradient, images, threat)), previous=here
    )


def _where(rows, images, others):
    return jnp.where(as_column(rows), images, others)


def _check(ascent, period):
    """The ascent after a checkpoint, if the period is not 0, and which images resume at their top with half a step."""
    due = period > 0
    stalled = ascent.kept & (ascent.top_loss <= ascent.checked)
    halved = due & ((ascent.rises < RISES * period.astype(jnp.float32)) | stalled)
    checked = ascent._replace(
        step_size=jnp.where(halved, ascent.step_size / 2, ascent.step_size),
        rises=jnp.where(due, 0, ascent.rises),
        kept=jnp.where(due, ~halved, ascent.kept),
        checked=jnp.where(due, ascent.top_loss, ascent.checked),
    )
    return checked, halved


def _sparse_check(ascent, period, images, threat):
    """The checkpoint of the L1 ball, which follows the number of values changed."""
    due = period > 0
    support = jnp.mean((ascent.top != images).astype(jnp.float32), axis=(1, 2, 3))
    sparser = due & (support < SPARSER * ascent.support)
    longest = jnp.asarray(threat.eps, jnp.float32)
    shorter = jnp.maximum(ascent.step_size / SPARSE_SHRINK, SPARSE_LEAST * longest)
    checked = ascent._replace(
        step_size=jnp.where(due, jnp.where(sparser, longest, shorter), ascent.step_size),
        support=jnp.where(due, support, ascent.support),
        share=jnp.where(due, support / SPARSE_SHARE, ascent.share),
    )
    return checked, sparser


def _move(ascent, here, gradient, images, threat):
    ahead = ascend(here, gradient, images, threat, ascent.step_size)
    share = jnp.where(ascent.step > 1, jnp.asarray(MOMENTUM, here.dtype), jnp.ones((), here.dtype))
    return project(here + share * (ahead - here) + (1 - share) * (here - ascent.previous), images, threat)


def _sparse_move(ascent, here, gradient, images, threat):
    direction = jax.vmap(threat.ascend_along)(inward(gradient, here), ascent.share)
    return project(here + as_column(ascent.step_size).astype(here.dtype) * direction, images, threat)


def _periods(steps: int) -> np.ndarray:
    """(steps,) the number of steps since the last checkpoint, where one is due; 0 elsewhere.

    The periods are 22 % of the steps, then 3 % less each time, down to 6 %.
    """
    periods, at = np.zeros(steps, np.int32), 0
    period, shrink, least = (max(math.floor(share * steps), 1) for share in (FIRST, SHRINK, LEAST))
    while at + period < steps:
        at += period
        periods[at] = period
        period = max(period - shrink, least)
    return periods


def _sparse_periods(steps: int) -> np.ndarray:
    period = max(math.floor(SPARSE_PERIOD * steps), 1)
    at = np.arange(steps)
    return np.where((at > 0) & (at % period == 0), period, 0).astype(np.int32)


@jax.jit
def _towards(goal: Goal, others: jax.Array, rank: jax.Array | int) -> Goal:
    return goal._replace(rivals=others[rank])
