"""Localization: the share of a map inside regions where the evidence is.

What a map says against the class (below zero) does not count: give magnitudes to count it. A map without a
positive value counts as uniform, and scores what chance does.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from analysis.metrics.forms import as_maps, as_masks


def pointing_game(maps: Any, masks: Any, tolerance: float = 0) -> jax.Array:
    """Whether the largest value of each map lies in a region.

    Args:
      maps: (N, H, W).
      masks: (N, H, W) booleans, or (H, W) for all.
      tolerance: pixels by which the largest value may miss the region.

    Returns:
      (N,) 1 for a hit and 0 for a miss; where several pixels share the largest value, the share that hits.

    Raises:
      ValueError: maps or masks that are not of the above, or a negative tolerance.

    Example:
      >>> maps = [[[0.0, 3.0, 0.0]], [[1.0, 1.0, 0.0]]]
      >>> pointing_game(maps, [[True, False, False]]).tolist()
      [0.0, 0.5]

    Reference: Zhang et al., 2016, arXiv:1608.00507.
    """
    if not 0 <= tolerance < np.inf:
        raise ValueError(f"tolerance={tolerance!r}: expected a number of pixels, not negative")
    maps = as_maps(maps)
    masks = as_masks(masks, maps.shape)
    reach = int(tolerance)
    place = np.arange(-reach, reach + 1)
    disc = np.hypot(place[:, None], place) <= tolerance
    return _pointing(maps, masks, disc.astype(np.float32)[..., None, None])


@jax.jit
def _pointing(maps, masks, disc):
    near = jax.lax.conv_general_dilated(
        masks[..., None].astype(disc.dtype), disc, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    largest = maps == maps.max((1, 2), keepdims=True)
    hits = largest & (near[..., 0] > 0.5)
    return (hits.sum((1, 2)) / largest.sum((1, 2))).astype(maps.dtype)


def mass_inside(maps: Any, masks: Any) -> jax.Array:
    r"""The share of each map's positive values that lies in a region.

    .. math:: \frac{\sum_{p \in R} \max(M_p, 0)}{\sum_p \max(M_p, 0)}

    Args:
      maps: (N, H, W).
      masks: (N, H, W) booleans, or (H, W) for all.

    Returns:
      (N,) in [0, 1]; chance is the region's share of the pixels.

    Raises:
      ValueError: maps or masks that are not of the above.

    Example:
      >>> mass_inside([[[1.0, 3.0, -4.0]]], [[True, False, True]]).tolist()
      [0.25]

    Reference: Wang et al., 2019, arXiv:1910.01279 (the energy-based pointing game).
    """
    maps = as_maps(maps)
    return _mass(maps, as_masks(masks, maps.shape))


@jax.jit
def _mass(maps, masks):
    positive = _positive(maps)
    return jnp.where(masks, positive, 0).sum((1, 2)) / positive.sum((1, 2))


def contrast(maps: Any, masks: Any, others: Any) -> jax.Array:
    r"""Whether a pixel of one region matters more than a pixel of another.

    .. math:: \frac{m_R - m_{R'}}{m_R + m_{R'}}, \qquad m_R = \frac{1}{|R|} \sum_{p \in R} \max(M_p, 0)

    A mean, not a sum, so that a small region is not at a disadvantage.

    Args:
      maps: (N, H, W).
      masks: (N, H, W) booleans, or (H, W) for all: the region R.
      others: the same, of the region R'.

    Returns:
      (N,) from 1 (all on the first region) to −1 (all on the other); 0 where they are equal, or both zero.

    Raises:
      ValueError: maps or masks that are not of the above.

    Example:
      >>> contrast([[[3.0, 1.0, 1.0]]], [[True, False, False]], [[False, True, True]]).round(4).tolist()
      [0.5]
    """
    maps = as_maps(maps)
    return _contrast(maps, as_masks(masks, maps.shape), as_masks(others, maps.shape, "others"))


@jax.jit
def _contrast(maps, masks, others):
    positive = _positive(maps)
    first, second = (jnp.mean(positive, (1, 2), where=region) for region in (masks, others))
    total = first + second
    return jnp.where(total > 0, (first - second) / jnp.where(total > 0, total, 1), 0)


def _positive(maps):
    """The positive part over its largest value, so that no sum over- or underflows; one where there is none."""
    peak = maps.max((1, 2), keepdims=True)
    return jnp.where(peak > 0, jnp.maximum(maps, 0) / jnp.where(peak > 0, peak, 1), 1)
