"""A random key for each example of a batch."""

import jax
import jax.numpy as jnp


def keys(key: jax.Array, count: int) -> jax.Array:
    """(count,) keys: that of example i is `fold_in(key, i)`, whoever else is in the batch.

    Example:
      >>> keys(jax.random.key(0), 3).shape
      (3,)
    """
    return jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(count))
