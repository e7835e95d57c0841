r"""Exponential moving averages of a model's variables, which generalize better than the last ones."""

from typing import Any

import jax
import jax.numpy as jnp


def average(ema: Any, variables: Any, decay: float, updates: Any) -> Any:
    r"""The averages after one more update.

    .. math:: \bar w ← d_t \bar w + (1 - d_t) w, \qquad d_t = \min(d, \tfrac{1 + t}{10 + t})

    The smaller decay at the start lets the initial values go, as in `tf.train.ExponentialMovingAverage`.
    Statistics of batch normalization are averaged as well.

    Args:
      ema: averages so far, a tree of float arrays.
      variables: of the model, a tree of the same shapes.
      decay: d, in [0, 1).
      updates: t, the number of updates before this one.

    Returns:
      A tree like `ema`.

    Example:
      >>> average(jnp.zeros(1), jnp.ones(1), decay=0.5, updates=90).tolist()
      [0.5]
    """
    count = jnp.asarray(updates, jnp.float32)
    rate = 1 - jnp.minimum(decay, (1 + count) / (10 + count))
    return jax.tree.map(lambda old, new: old + rate.astype(old.dtype) * (new - old), ema, variables)
