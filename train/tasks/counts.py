"""Counts of 64 bits on devices that compute in 32: pixels and pairs of large data sets."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

CARRY = 2**32


class Counts(NamedTuple):
    """Counts below 2⁶⁴.

    Attributes:
      low: uint32 of any shape, the lower half of the bits.
      high: the same, the upper half.
    """

    low: jax.Array
    high: jax.Array

    @classmethod
    def zeros(cls, *shape: int) -> "Counts":
        """Counts of nothing."""
        return cls(jnp.zeros(shape, jnp.uint32), jnp.zeros(shape, jnp.uint32))

    def add(self, more: jax.Array) -> "Counts":
        """The counts with integers of at least 0, below 2³¹, added.

        Example:
          >>> counts = Counts(jnp.array([2**32 - 1], jnp.uint32), jnp.zeros(1, jnp.uint32))
          >>> counts.add(jnp.array([2])).exact().tolist()
          [4294967297]
        """
        low = self.low + more.astype(jnp.uint32)
        return Counts(low, self.high + (low < self.low).astype(jnp.uint32))

    def rounded(self) -> jax.Array:
        """The counts as float32, on the device."""
        return self.high.astype(jnp.float32) * float(CARRY) + self.low.astype(jnp.float32)

    def exact(self) -> np.ndarray:
        """The counts as int64, on the host."""
        return np.asarray(self.high).astype(np.int64) * CARRY + np.asarray(self.low).astype(np.int64)
