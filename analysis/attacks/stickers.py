"""Stickers: any change of the pixels under a mask, and none elsewhere.

Reference: Karmon, Zoran & Goldberg, 2018, arXiv:1801.02608.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from analysis import checks, execution
from analysis.attacks.goal import prepare
from analysis.attacks.search import Search, ascend, draw_start, evaluate, evaluate_with_gradient
from analysis.attacks.threat import Linf
from convzoo.checks import integer, number

ANYWHERE = Linf(1.0)
"""The ball that holds all images."""


def sticker(
    logits_fn: Callable[[jax.Array], jax.Array],
    images: Any,
    labels: Any,
    mask: Any,
    steps: int = 100,
    step_size: float | None = None,
    key: jax.Array | None = None,
    restarts: int = 1,
    targets: Any = None,
    batch_size: int | None = None,
) -> jax.Array:
    r"""Signed gradient ascent of the loss over the pixels where a mask is 1, which may take any value in [0, 1].

    .. math:: x_{t+1} = \mathrm{clip}_{[0, 1]}\big( x_t + \alpha\, M \odot \mathrm{sign}\, \nabla_x L(x_t, y) \big)

    A sticker is made for one image, one place and one view: for one that works anywhere see `adversarial_patch`. Of
    all iterates of all restarts each image keeps the best, as in `attacks.pgd`. It assumes useful gradients: where
    they are masked, or the search ends in a local maximum, a failure does not show that no sticker would do.

    Args:
      logits_fn: (N, H, W, C) images in [0, 1] → (N, classes) logits.
      images: (N, H, W, C) floats in [0, 1].
      labels: (N,) the true classes.
      mask: (H, W), or (N, H, W) with one mask an image: 1 or True where pixels may change, 0 elsewhere.
      steps: gradient steps of each restart.
      step_size: α; None: 2.5 / steps, which crosses [0, 1] from any start.
      key: from `jax.random.key`, for the random starts. Image i of the call uses `fold_in(key, i)`, whatever
        the batch size.
      restarts: how often to start, each time elsewhere.
      targets: (N,) classes to be taken for; None: any but the label.
      batch_size: images held at once; None: all.

    Returns:
      (N, H, W, C) adversarial images in [0, 1], the same bits where the mask is 0.

    Raises:
      ValueError: images, labels, mask, targets, key or numbers that are not of the above.

    Example:
      >>> linear = lambda images: images.sum((1, 2)) @ jnp.array([[1.0, -1.0]])
      >>> made = sticker(linear, jnp.full((1, 1, 2, 1), 0.5), [0], [[0, 1]], steps=5, key=jax.random.key(0))
      >>> made.ravel().tolist()
      [0.5, 0.0]
    """
    integer("steps", steps)
    integer("restarts", restarts)
    if step_size is not None and checks.is_concrete(step_size):
        number("step_size", step_size, 0)
    logits_fn, images, goal = prepare(logits_fn, images, labels, ANYWHERE, targets)
    mask, keys = _as_mask(mask, images.shape), checks.keys(key, len(images))
    step_size = 2.5 / steps if step_size is None else step_size

    def attack(images, goal, keys, mask):
        images = jnp.asarray(images)
        search = Search.at(images)
        for restart in range(restarts):
            search = search._replace(images=_start(images, keys, restart, mask))
            search = execution.iterate(_step, search, steps, logits_fn, images, goal, mask, step_size)
            search = evaluate(search, logits_fn, goal)
        return search.best

    return execution.in_batches(attack, batch_size, images, goal, keys, mask)


@jax.jit
def _start(images, keys, restart, mask):
    return jnp.where(mask[..., None], draw_start(images, keys, restart, ANYWHERE), images)


def _step(search, logits_fn, images, goal, mask, step_size):
    search, gradient = evaluate_with_gradient(search, logits_fn, goal)
    gradient = jnp.where(mask[..., None], gradient, jnp.zeros_like(gradient))
    return search._replace(images=ascend(search.images, gradient, images, ANYWHERE, step_size))


def _as_mask(mask: Any, shape: tuple[int, ...]) -> np.ndarray:
    """(N, H, W) booleans from one mask for all images or one for each."""
    if not checks.is_concrete(mask):
        raise ValueError("mask is traced: expected an array of ones and zeros; make it outside jit")
    array = np.asarray(mask)
    if array.shape not in (shape[1:3], shape[:3]):
        raise ValueError(f"mask of shape {array.shape}: expected {shape[1:3]}, or {shape[:3]} with one mask an image")
    if not np.isin(array, (0, 1)).all():
        raise ValueError(f"mask spans [{array.min()}, {array.max()}]: expected ones where pixels may change, and zeros")
    return np.broadcast_to(array.astype(bool), shape[:3])
