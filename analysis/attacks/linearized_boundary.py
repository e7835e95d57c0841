"""Linearized decision boundaries: margins of other classes with their gradients, and the nearest point in [0, 1].

What DeepFool and FAB share.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from analysis.attacks.goal import Goal
from analysis.attacks.losses import LOSSES
from analysis.attacks.threat import L1, Linf, Threat, falling_root
from analysis.numerics import at_least_float32

MARGIN = LOSSES["margin"].function
LARGEST = 60.0  # logarithm of the ratio of multipliers that the box may ask for


def nearest_boundary(
    images: jax.Array, logits_fn: Callable, goal: Goal, rivals: jax.Array | None, threat: Threat
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """The boundary of the linearized model that is nearest to each image.

    Args:
      images: (N, H, W, C).
      logits_fn: images → logits.
      goal: of each image.
      rivals: as for `margins_with_gradients`.
      threat: its norm measures distance.

    Returns:
      (N,) the margin of the class beyond, (N, H, W, C) its gradient, (N,) the length of the gradient in the dual norm,
      and (N,) whether the image reaches the goal.
    """
    margins, reached, gradients = margins_with_gradients(images, logits_fn, goal, rivals)
    rates = jax.vmap(jax.vmap(threat.dual_norm))(gradients).astype(jnp.float32)
    distances = jnp.where(rates > 0, jnp.abs(margins) / jnp.where(rates > 0, rates, 1), jnp.inf)
    closest, rows = jnp.argmin(distances, axis=0), jnp.arange(len(images))
    return margins[closest, rows], gradients[closest, rows], rates[closest, rows], reached


def margins_with_gradients(
    images: jax.Array, logits_fn: Callable, goal: Goal, rivals: jax.Array | None
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Margins of rivals over the label, success, and the gradients of the margins.

    Args:
      images: (N, H, W, C).
      logits_fn: images → logits.
      goal: of each image.
      rivals: (K, N) classes to be taken for instead of the label; None: the goal is a target, whose one margin is that
        over the best other class.

    Returns:
      (K, N) float32, (N,) booleans and (K, N, H, W, C), from one forward pass and K backward.
    """

    def margins(images):
        logits = logits_fn(images)
        wide = at_least_float32(logits)
        if rivals is None:
            return MARGIN(goal, wide)[None], goal.reached(logits)
        ahead = jnp.take_along_axis(wide, rivals.T, 1) - jnp.take_along_axis(wide, goal.classes[:, None], 1)
        return ahead.T.astype(jnp.float32), goal.reached(logits)

    values, pullback, reached = jax.vjp(margins, images, has_aux=True)
    each = jnp.broadcast_to(jnp.eye(len(values))[:, :, None], (len(values), *values.shape))
    return values, reached, jax.vmap(pullback)(each)[0]


def step_to_plane(image: jax.Array, gradient: jax.Array, gain: jax.Array, threat: Threat) -> jax.Array:
    r"""The shortest change within [0, 1] by which a linear function grows, or falls, by so much.

    .. math:: \min \lVert r \rVert \quad \text{such that} \quad g \cdot r = \text{gain}, \quad x + r \in [0, 1]

    Pixels at a limit stay, and others make up for them. Where the box holds no such point, the change goes as far
    as the box does.

    Args:
      image: (H, W, C) in [0, 1].
      gradient: (H, W, C) of the linear function.
      gain: scalar.
      threat: its norm measures length.

    Returns:
      (H, W, C) the change, in float32.

    Example:
      >>> from analysis.attacks.threat import L2
      >>> image, gradient = jnp.array([0.5, 1.0]), jnp.array([3.0, 4.0])
      >>> [round(change, 4) for change in step_to_plane(image, gradient, jnp.float32(0.75), L2(0.0)).tolist()]
      [0.25, 0.0]
    """
    image, gradient = at_least_float32(image), at_least_float32(gradient)
    gradient = jnp.where(gain < 0, -gradient, gradient)
    peak = jnp.max(jnp.abs(gradient))
    size = jnp.abs(gradient) / jnp.where(peak > 0, peak, 1)
    need = jnp.abs(gain) / jnp.where(peak > 0, peak, 1)
    room = jnp.where(gradient > 0, 1 - image, image)
    lengths = (_l1 if isinstance(threat, L1) else _linf if isinstance(threat, Linf) else _l2)(size, room, need)
    return jnp.sign(gradient) * lengths


def _linf(size, room, need):
    level = falling_root(lambda level: need - jnp.sum(size * jnp.minimum(level, room)), jnp.ones_like(need))
    return jnp.minimum(level, room)


def _l2(size, room, need):
    """The multiplier is searched along its logarithm: it may lie orders above the one without a box."""
    free = need / jnp.maximum(jnp.sum(size**2), 1)  # at least 1, the square of the peak, except for zero

    def change(level):
        return jnp.minimum(free * jnp.exp(level) * size, room)

    level = falling_root(lambda level: need - jnp.sum(size * change(level)), jnp.full_like(need, LARGEST))
    return change(level)


def _l1(size, room, need):
    """The largest gradients first, each as far as its room."""
    order = jnp.argsort(-size, axis=None)
    sizes, rooms = size.ravel()[order], room.ravel()[order]
    before = jnp.cumsum(sizes * rooms) - sizes * rooms
    moved = jnp.clip((need - before) / jnp.where(sizes > 0, sizes, 1), 0, jnp.where(sizes > 0, rooms, 0))
    return jnp.zeros_like(moved).at[order].set(moved).reshape(size.shape)
