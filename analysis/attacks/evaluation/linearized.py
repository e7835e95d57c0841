"""Shortfall: by how much an attack misses the optimum where that is known, on the linearized classifier."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial

from analysis import execution
from analysis.attacks.threat import L2, Linf, Threat
from analysis.numerics import at_least_float32

CLASSES = 10
"""Classes of the copy: the label and the likeliest others."""
HALVINGS = 60


class Linearized(NamedTuple):
    """The first-order copy of a classifier at some images.

    Attributes:
      images: (N, H, W, C) where it is exact.
      logits: (N, K) there, the label's first.
      slopes: (N, K, H, W, C) gradients of the logits.
    """

    images: jax.Array
    logits: jax.Array
    slopes: jax.Array

    def __call__(self, images: jax.Array) -> jax.Array:
        """(M, K) logits of images near the first M of those, in their order."""
        count = len(images)
        change = (images - self.images[:count]).astype(self.slopes.dtype)
        return self.logits[:count] + jnp.einsum("nkhwc,nhwc->nk", self.slopes[:count], change)


@jax.jit
def linearized(logits_fn: Partial, images: jax.Array, labels: jax.Array) -> Linearized:
    """The first-order copy of a classifier at images, of the label and the likeliest other classes."""
    logits, pullback = jax.vjp(lambda images: at_least_float32(logits_fn(images)), images)
    is_label = jax.nn.one_hot(labels, logits.shape[1], dtype=bool)
    # The label first, then the others by their logits.
    order = jax.lax.top_k(jnp.where(is_label, jnp.inf, logits), min(CLASSES, logits.shape[1]))[1]
    chosen = [jax.nn.one_hot(order[:, k], logits.shape[1], dtype=logits.dtype) for k in range(order.shape[1])]
    slopes = jnp.stack([pullback(one)[0] for one in chosen], axis=1)
    return Linearized(images, jnp.take_along_axis(logits, order, axis=1), slopes)


def optimum(copy: Linearized, threat: Threat) -> np.ndarray:
    r"""The largest margin of another class over the label in the ball and in [0, 1], in closed form.

    .. math:: \max_{k \ne y} \max_\delta\; z_k - z_y + \langle g_k - g_y, \delta \rangle

    In the Linf ball each value moves as far as it may; in the L2 ball δ is a multiple of the slope, clipped to the
    box, of length ε.

    Args:
      copy: N linear classifiers.
      threat: `Linf` or `L2`.

    Returns:
      (N,) float64.

    Example:
      >>> image, slope = jnp.full((1, 1, 1, 1), 0.5), jnp.array([0.0, 1.0]).reshape(1, 2, 1, 1, 1)
      >>> optimum(Linearized(image, jnp.array([[1.0, 0.0]]), slope), Linf(0.25)).tolist()
      [-0.75]
    """
    logits, slopes = np.asarray(copy.logits, np.float64), np.asarray(copy.slopes, np.float64)
    slopes = (slopes[:, 1:] - slopes[:, :1]).reshape(len(slopes), slopes.shape[1] - 1, -1)
    image = np.asarray(copy.images, np.float64).reshape(len(slopes), 1, -1)
    eps = float(threat.eps)
    if isinstance(threat, Linf):
        change = np.clip(eps * np.sign(slopes), -image, 1 - image)
    else:
        change = _in_box(slopes, image, eps)
    return (logits[:, 1:] - logits[:, :1] + (slopes * change).sum(-1)).max(1)


def _in_box(slopes: np.ndarray, image: np.ndarray, eps: float) -> np.ndarray:
    """The multiples of slopes, clipped to the box, whose length is ε, or the corner of the box if that is nearer."""
    low = np.zeros((*slopes.shape[:2], 1))
    high = np.full_like(low, (1 + eps) / max(np.abs(slopes[slopes != 0]).min(initial=1), 1e-30))
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        longer = np.linalg.norm(np.clip(middle * slopes, -image, 1 - image), axis=-1, keepdims=True) > eps
        low, high = np.where(longer, low, middle), np.where(longer, middle, high)
    return np.clip(low * slopes, -image, 1 - image)


def shortfall(attack: Callable, copy: Linearized, threat: Threat) -> float:
    """The share of the way to the optimum that an attack leaves undone, on average over images.

    Args:
      attack: (logits_fn, images, labels, threat) → images.
      copy: N linear classifiers, attacked at once.
      threat: `Linf` or `L2`.

    Returns:
      0 for an attack that reaches the largest margin, 1 for one that does not move.
    """
    labels = np.zeros(len(copy.images), np.int32)
    images = attack(Partial(execution.Static(_call), copy), copy.images, labels, threat)
    reached, start, best = _margin(copy(jnp.asarray(images))), _margin(copy.logits), optimum(copy, threat)
    way = np.maximum(best - start, np.finfo(np.float32).tiny)
    return float(np.mean(np.clip((best - reached) / way, 0, 1)))


def _call(copy: Linearized, images: jax.Array) -> jax.Array:
    return copy(images)


def _margin(logits: Any) -> np.ndarray:
    logits = np.asarray(logits, np.float64)
    return logits[:, 1:].max(1) - logits[:, 0]


KNOWN = (Linf, L2)
"""Threats whose optimum is a closed form."""
