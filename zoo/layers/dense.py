"""Densely connected blocks: every layer reads the outputs of all earlier layers of the block."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from convzoo.checks import integer
from zoo.layers.composite import Activation, NormConv
from zoo.layers.normalization import BatchNorm, Norm


class DenseLayer(nn.Module):
    """`growth` new channels from all existing ones: 1×1 down to a bottleneck, then 3×3.

    Attributes:
      growth: channels that it adds.
      bottleneck: width of the 1×1 convolution in units of `growth`; 0: no such convolution.
      dropout: share of the new features set to zero in training, in [0, 1).
      act: the activation.
      norm: the normalization.
      dtype: type of the computation.
    """

    growth: int
    bottleneck: int = 4
    dropout: float = 0.0
    act: Activation = nn.relu
    norm: Norm = BatchNorm()
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """(N, H, W, C) → (N, H, W, C + growth): the input, then what is new."""
        shared = {"act": self.act, "norm": self.norm, "dtype": self.dtype}
        y = x
        if self.bottleneck:
            y = NormConv(self.bottleneck * self.growth, 1, name="conv1", **shared)(y, train)
        y = NormConv(self.growth, 3, padding=1, name="conv2", **shared)(y, train)
        y = nn.Dropout(self.dropout, name="dropout")(y, deterministic=not train)
        return jnp.concatenate([x, y], axis=-1)


class DenseBlock(nn.Module):
    """`count` layers, each of which appends `growth` channels to its input.

    Attributes:
      count: number of layers.
      growth, bottleneck, dropout, act, norm, dtype: those of `DenseLayer`.

    Example:
      >>> block = DenseBlock(count=6, growth=32)
      >>> jax.eval_shape(block.init_with_output, jax.random.key(0), jnp.ones((1, 8, 8, 64)))[0].shape
      (1, 8, 8, 256)

    Reference: Huang et al., 2016, arXiv:1608.06993.
    """

    count: int
    growth: int
    bottleneck: int = 4
    dropout: float = 0.0
    act: Activation = nn.relu
    norm: Norm = BatchNorm()
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """(N, H, W, C) → (N, H, W, C + count · growth)."""
        integer("count", self.count)
        integer("growth", self.growth)
        integer("bottleneck", self.bottleneck, 0)
        for index in range(self.count):
            layer = DenseLayer(
                self.growth,
                self.bottleneck,
                self.dropout,
                self.act,
                self.norm,
                self.dtype,
                name=f"layer{index + 1}",
            )
            x = layer(x, train)
        return x
