"""Early stopping: the end of a run whose validation loss no longer falls."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp


class Stopping(NamedTuple):
    """The memory of early stopping, part of the training state.

    Attributes:
      best: () float32, the lowest validation loss so far.
      bad: () int32, evaluations in a row since then.

    Example:
      >>> memory = Stopping.start()
      >>> for loss in (1.0, 0.5, 0.6):
      ...     memory = memory.after(loss)
      >>> float(memory.best), int(memory.bad)
      (0.5, 1)
    """

    best: jax.Array
    bad: jax.Array

    @classmethod
    def start(cls) -> "Stopping":
        """The memory before the first evaluation."""
        return cls(jnp.asarray(math.inf, jnp.float32), jnp.zeros((), jnp.int32))

    def after(self, loss: float) -> "Stopping":
        """The memory after one more evaluation; NaN is no improvement."""
        value = jnp.asarray(loss, jnp.float32)
        better = value < self.best
        return Stopping(jnp.where(better, value, self.best), jnp.where(better, 0, self.bad + 1).astype(jnp.int32))
