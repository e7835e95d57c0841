"""Fast adaptive boundary (FAB) attacks: the nearest adversarial image in Linf, L2 or L1, without a step size.

Reference: Croce & Hein, 2019, arXiv:1907.02044.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from analysis import checks, execution
from analysis.attacks.goal import likeliest
from analysis.attacks.linearized_boundary import nearest_boundary, step_to_plane
from analysis.attacks.minimal import Nearest, cut, evaluate_nearest, lengths, prepare_nearest
from analysis.attacks.search import as_column
from convzoo.checks import integer

CANDIDATES = 9  # classes whose boundaries are looked at
BIAS = 0.1  # the largest share of the step from the image itself
OVERSHOOT = 1.05  # of both steps
BACK = 0.9  # share of the way from the image that an adversarial one keeps
RADII = {"linf": 0.3, "l2": 1.0, "l1": 5.0}  # the widest balls of random starts


def fab(
    logits_fn: Callable[[jax.Array], jax.Array],
    images: Any,
    labels: Any,
    norm: str = "linf",
    steps: int = 100,
    restarts: int = 1,
    targets: Any = None,
    key: jax.Array | None = None,
    batch_size: int | None = None,
) -> jax.Array:
    r"""Steps onto the linearized boundary, biased towards the image, and back inside from each success.

    .. math:: x_{t+1} = \mathrm{clip}_{[0, 1]} \big( (1 - \alpha)(x_t + 1.05\, d_t) + \alpha (x + 1.05\, d) \big),
              \qquad \alpha = \min\Big( \frac{\lVert d_t \rVert}{\lVert d_t \rVert + \lVert d \rVert}, 0.1 \Big)

    with d_t the shortest change within [0, 1] from the iterate to the boundary that is nearest, among those of the
    nine likeliest other classes, and d from the image to the same plane. An iterate that reaches the goal is taken
    back by a tenth of its way. The nearest of all that reach it is moved towards the image by ten bisections, instead
    of the paper's three.

    It assumes that the model is close to linear near its boundary, and no radius and no step size. A distance is an
    upper bound of the least one. An image that it leaves as it is may well have an adversarial neighbour, if the model
    hides its gradient.

    Args:
      logits_fn: (N, H, W, C) images in [0, 1] → (N, classes) logits.
      images: (N, H, W, C) floats in [0, 1].
      labels: (N,) the true classes.
      norm: `"linf"`, `"l2"` or `"l1"`.
      steps: gradient steps of each restart.
      restarts: how often to start: first at the image, then anywhere in a ball half as wide as the nearest success,
        or 0.3, 1 and 5 in Linf, L2 and L1 if that is less.
      targets: (N,) classes to be taken for; None: any but the label.
      key: from `jax.random.key`, for restarts. Image i of the call uses `fold_in(key, i)`, whatever the batch size.
      batch_size: images held at once; None: all.

    Returns:
      (N, H, W, C) the nearest images of the goal, in [0, 1]; where none came up, or the image is of the goal already,
      the image itself.

    Raises:
      ValueError: images, labels, targets, norm or numbers that are not of the above, or several restarts without
        a key.

    Example:
      >>> linear = lambda images: (images[:, 0, 0] - 0.5) @ jnp.array([[1.0, -1.0]])
      >>> round(fab(linear, jnp.full((1, 1, 1, 1), 0.75), [0], steps=5).item(), 2)
      0.5
    """
    integer("steps", steps)
    integer("restarts", restarts)
    logits_fn, images, goal, classes, threat = prepare_nearest(logits_fn, images, labels, norm, targets)
    if restarts > 1 and key is None:
        raise ValueError(f"restarts={restarts} need a key: give key=jax.random.key(0)")
    keys = None if key is None else checks.keys(key, len(images))
    count = max(1, min(CANDIDATES, classes - 1))

    def attack(images, goal, keys):
        images = jnp.asarray(images)
        rivals = likeliest(logits_fn, images, goal, count) if targets is None else None
        state = Walk(images, Nearest.at(images))
        for restart in range(restarts):
            if restart:
                state = _restart(state, images, keys, restart, threat, RADII[norm])
            state = execution.iterate(_step, state, steps, logits_fn, images, goal, threat, rivals)
        nearest = evaluate_nearest(state.nearest, state.images, logits_fn, images, goal, threat)
        return cut(nearest, logits_fn, images, goal, threat).images

    return execution.in_batches(attack, batch_size, images, goal, keys)


class Walk(NamedTuple):
    """Images near a boundary, one row an image.

    Attributes:
      images: (N, H, W, C) the current ones.
      nearest: of those evaluated.
    """

    images: jax.Array
    nearest: Nearest


@jax.jit
def _restart(walk, images, keys, restart, threat, widest):
    radii = jnp.minimum(walk.nearest.distance / 2, widest)

    def start(image, key, radius):
        ball = type(threat)(radius)
        delta = ball.random_start(jax.random.fold_in(key, restart), image.shape, image.dtype)
        return jnp.clip(image + delta, 0, 1)

    return walk._replace(images=jax.vmap(start)(images, keys, radii))


def _step(walk, logits_fn, images, goal, threat, rivals):
    margin, gradient, _, reached = nearest_boundary(walk.images, logits_fn, goal, rivals, threat)
    nearest = walk.nearest.update(walk.images, lengths(threat, walk.images - images), reached)
    along = jnp.sum((images - walk.images).astype(jnp.float32) * gradient.astype(jnp.float32), axis=(1, 2, 3))
    # Both steps at once: from the iterates and from the images, to the same planes.
    starts, planes = jnp.concatenate([walk.images, images]), jnp.concatenate([gradient, gradient])
    gains = jnp.concatenate([-margin, -(margin + along)])
    step = jax.vmap(lambda image, gradient, gain: step_to_plane(image, gradient, gain, threat))
    of_iterate, of_image = jnp.split(step(starts, planes, gains), 2)
    moved = _between(walk.images, images, of_iterate, of_image, threat)
    success = goal.reached(logits_fn(moved))
    nearest = nearest.update(moved, lengths(threat, moved - images), success)
    back = images + jnp.asarray(BACK, images.dtype) * (moved - images)
    return Walk(jnp.where(as_column(success), back, moved), nearest)


def _between(iterates, images, of_iterate, of_image, threat):
    near, far = lengths(threat, of_iterate), lengths(threat, of_image)
    bias = as_column(jnp.minimum(near / jnp.where(near + far > 0, near + far, 1), BIAS))
    ends = (
        start.astype(jnp.float32) + OVERSHOOT * step for start, step in ((iterates, of_iterate), (images, of_image))
    )
    first, second = ends
    return jnp.clip((1 - bias) * first + bias * second, 0, 1).astype(images.dtype)
