"""Similarity of two maps: in the order of their pixels, and in their structure."""

import functools
import itertools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from analysis.metrics.forms import as_maps
from convzoo.checks import integer


def rank_correlation(maps: Any, others: Any) -> jax.Array:
    """Spearman's correlation over the pixels of two maps; equal values share their mean rank.

    Args:
      maps: (N, H, W).
      others: (N, H, W).

    Returns:
      (N,) in [−1, 1]; 0 where a map is flat, which orders nothing.

    Raises:
      ValueError: maps that are not of the above.

    Example:
      >>> rank_correlation([[[1.0, 2.0, 9.0]]], [[[-1.0, 0.0, 0.5]]]).round(4).tolist()
      [1.0]
    """
    maps = as_maps(maps)
    return _rank_correlation(maps, as_maps(others, maps.shape, "others"))


@jax.jit
def _rank_correlation(maps, others):
    first, second = (jax.vmap(_ranks)(side.reshape(len(side), -1)) for side in (maps, others))
    product = jnp.sqrt(jnp.sum(first**2, 1) * jnp.sum(second**2, 1))
    return jnp.where(product > 0, jnp.sum(first * second, 1) / jnp.where(product > 0, product, 1), 0).astype(maps.dtype)


def _ranks(values):
    """Ranks about their mean, over the number of values."""
    ordered = jnp.sort(values)
    below, up_to = (jnp.searchsorted(ordered, values, side=side) for side in ("left", "right"))
    # Integers first, so that equal values end at exactly zero.
    return (below + up_to - values.size).astype(jnp.float32) / values.size


def structural_similarity(maps: Any, others: Any, window: int = 7) -> jax.Array:
    r"""The structural similarity of two maps, each stretched to [0, 1] first.

    .. math:: \frac{1}{|W|} \sum_{w \in W} \frac{(2 \mu_a \mu_b + c_1)(2 \sigma_{ab} + c_2)}
              {(\mu_a^2 + \mu_b^2 + c_1)(\sigma_a^2 + \sigma_b^2 + c_2)}, \qquad c_1 = 0.01^2, \; c_2 = 0.03^2

    over all windows w inside the map.

    Args:
      maps: (N, H, W); a flat one becomes zero.
      others: (N, H, W).
      window: side of a window in pixels, cut to the map's.

    Returns:
      (N,) at most 1.

    Raises:
      ValueError: maps that are not of the above, or a window that is not a positive integer.

    Example:
      >>> import numpy as np
      >>> maps = np.random.default_rng(0).normal(size=(1, 8, 8))
      >>> structural_similarity(maps, 3 * maps + 1).round(4).tolist()
      [1.0]

    Reference: Wang et al., 2004, doi:10.1109/TIP.2003.819861.
    """
    integer("window", window)
    maps = as_maps(maps)
    return _structural_similarity(maps, as_maps(others, maps.shape, "others"), window)


@functools.partial(jax.jit, static_argnames="window")
def _structural_similarity(maps, others, window):
    first, second = _stretched(maps), _stretched(others)
    sides = (1, *(min(window, side) for side in maps.shape[1:]))

    def mean(values):
        return jax.lax.reduce_window(values, np.zeros((), values.dtype), jax.lax.add, sides, (1, 1, 1), "VALID") / (
            sides[1] * sides[2]
        )

    means = mean(first), mean(second)
    spread = mean(first**2) - means[0] ** 2 + mean(second**2) - means[1] ** 2
    shared = mean(first * second) - means[0] * means[1]
    level, detail = 0.01**2, 0.03**2
    light = (2 * means[0] * means[1] + level) / (means[0] ** 2 + means[1] ** 2 + level)
    return jnp.mean(light * (2 * shared + detail) / (spread + detail), (1, 2))


def _stretched(maps):
    low, high = maps.min((1, 2), keepdims=True), maps.max((1, 2), keepdims=True)
    return jnp.where(high > low, (maps - low) / jnp.where(high > low, high - low, 1), 0)


def agreement(maps: Mapping[str, Any]) -> np.ndarray:
    """The mean rank correlation between each two methods' maps.

    Args:
      maps: name of each method and its (N, H, W) maps of the same images.

    Returns:
      (M, M) mean over images of `rank_correlation`, in the order of the names; symmetric, with ones on the diagonal.

    Raises:
      ValueError: no maps, or maps of different shapes.

    Example:
      >>> agreement({"one": [[[0.0, 1.0]]], "other": [[[1.0, 0.0]]]}).round(4).tolist()
      [[1.0, -1.0], [-1.0, 1.0]]
    """
    if not maps:
        raise ValueError("agreement of no maps: give at least one method")
    shape = np.shape(next(iter(maps.values())))
    checked = [as_maps(values, shape, f"maps[{name!r}]") for name, values in maps.items()]
    matrix = np.eye(len(checked))
    for (row, first), (column, second) in itertools.combinations(enumerate(checked), 2):
        matrix[row, column] = matrix[column, row] = float(_rank_correlation(first, second).mean())
    return matrix
