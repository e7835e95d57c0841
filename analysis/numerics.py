"""Two pieces of arithmetic that attribution and attacks share."""

import jax
import jax.numpy as jnp


def at_least_float32(x: jax.Array) -> jax.Array:
    """Widen half-precision numbers, in which sums and differences of scores would drown.

    Example:
      >>> at_least_float32(jnp.ones(1, jnp.bfloat16)).dtype.name
      'float32'
    """
    return x.astype(jnp.float32) if x.dtype.itemsize < 4 else x


def entry_of(logits: jax.Array, classes: jax.Array) -> jax.Array:
    """One entry of each row: (N, K) and (N,) integers below K → (N,).

    Example:
      >>> entry_of(jnp.array([[1.0, 2.0], [3.0, 4.0]]), jnp.array([1, 0])).tolist()
      [2.0, 3.0]
    """
    return jnp.take_along_axis(logits, classes[:, None], axis=1)[:, 0]
