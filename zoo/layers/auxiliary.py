"""Auxiliary classifiers: heads in the middle of a network that help training and are left out afterwards.

Reference: Szegedy et al., 2014, arXiv:1409.4842.
"""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax

from zoo.layers.composite import Activation
from zoo.layers.normalization import BatchNorm, Norm


class AuxiliaryHead(nn.Module, kw_only=True):
    """The base of auxiliary heads: returns its input, and sows logits into `aux_logits` in training.

    Its variables are made when initializing; in evaluation it costs nothing.

    Attributes:
      num_classes: width of the output.
      act: the activation.
      norm: the normalization.
      dtype: type of the computation.
    """

    num_classes: int
    act: Activation = nn.relu
    norm: Norm = BatchNorm()
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """Return `x`, unchanged."""
        if train or self.is_initializing():
            logits = self._logits(x, train)
            if not self.is_initializing():
                self.sow("aux_logits", "logits", logits, reduce_fn=lambda _, new: new)
        return x

    def _logits(self, x: jax.Array, train: bool) -> jax.Array:
        """(N, H, W, C) → (N, num_classes)."""
        raise NotImplementedError


class Chain(nn.Module):
    """Modules in a row, each under a name of its own: blocks, and heads between them.

    Attributes:
      links: names, and what makes a module of `(x, train)` given its `name`.

    Example:
      >>> import functools, jax.numpy as jnp
      >>> from zoo.layers.composite import ConvNorm
      >>> layer = Chain((("thin", functools.partial(ConvNorm, 4, 1)), ("wide", functools.partial(ConvNorm, 8, 3))))
      >>> jax.eval_shape(layer.init_with_output, jax.random.key(0), jnp.ones((1, 8, 8, 3)))[0].shape
      (1, 8, 8, 8)
    """

    links: tuple[tuple[str, Callable[..., nn.Module]], ...]

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """(N, H, W, C) → the last module's output."""
        for name, module in self.links:
            x = module(name=name)(x, train)
        return x
