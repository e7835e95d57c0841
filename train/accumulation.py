r"""Gradient accumulation: updates from the mean gradient of K batches in a row.

With batches of B images it is the update of one batch of K B images, to rounding, except that batch normalization
computes its statistics in each batch of B, and moves its running averages K times. The windows of an epoch end
with it: what remains makes an update of its own, so that an epoch makes ⌈batches / K⌉ of them.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from train.batches import number_of_batches


class Windows(NamedTuple):
    """The batches of every epoch in windows; each window makes one update.

    Attributes:
      images: of the training split.
      batch_size: images of a batch, B.
      length: batches of a window, K; the last window of an epoch may be shorter.

    Example:
      >>> windows = Windows(images=100, batch_size=10, length=4)
      >>> windows.updates, [int(windows.size(update)) for update in range(4)]
      (3, [4, 4, 2, 4])
    """

    images: int
    batch_size: int
    length: int = 1

    @property
    def batches(self) -> int:
        """Batches of an epoch."""
        return number_of_batches(self.images, self.batch_size)

    @property
    def updates(self) -> int:
        """Updates of an epoch."""
        return -(-self.batches // self.length)

    @property
    def last(self) -> int:
        """Batches of an epoch's last window."""
        return self.batches - (self.updates - 1) * self.length

    def size(self, update: Any) -> jax.Array:
        """Batches of the window of an update, counted from 0 over all epochs."""
        return jnp.where(jnp.asarray(update) % self.updates == self.updates - 1, self.last, self.length)

    def ends(self, step: Any) -> jax.Array:
        """Whether the batch of a step, counted from 0 over all epochs, is the last of its window."""
        within = jnp.asarray(step) % self.batches
        return (within % self.length == self.length - 1) | (within == self.batches - 1)

    def updates_before(self, step: Any) -> jax.Array:
        """Updates that are done before a step."""
        epochs, within = jnp.divmod(jnp.asarray(step), self.batches)
        return epochs * self.updates + within // self.length

    def share(self, step: Any, weights: Any) -> jax.Array:
        """Factor of a batch's mean gradient, so that the mean over its window is that over the window's images.

        It is not 1 in the last window of an epoch alone, whose last batch may be filled up with images that do not
        count.

        Args:
          step: counted from 0 over all epochs.
          weights: (B,) of the batch: 1, or 0 for an image that does not count.

        Returns:
          () float32.
        """
        update = (jnp.asarray(step) % self.batches) // self.length
        counted = self.images - (self.updates - 1) * self.length * self.batch_size
        return jnp.where(update == self.updates - 1, jnp.sum(weights) * (self.last / counted), 1.0)

    def accumulate(self, optimizer: optax.GradientTransformation) -> optax.GradientTransformation:
        """The optimizer, applied to the mean gradient of each window; between, its moves are 0."""
        if self.length == 1:
            return optimizer
        return optax.MultiSteps(optimizer, self.size).gradient_transformation()
