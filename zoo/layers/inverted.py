"""The inverted residual: wide and depthwise inside, narrow between blocks.

Reference: Sandler et al., 2018, arXiv:1801.04381; with attention Tan et al., 2018, arXiv:1807.11626.
"""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax

from zoo.layers.composite import Activation, ConvNorm
from zoo.layers.normalization import BatchNorm, Norm


class InvertedResidual(nn.Module):
    """1×1 up to `hidden`, depthwise, 1×1 down to `features` without activation; a way around where shapes allow.

    Attributes:
      features: output channels.
      hidden: channels inside; equal to the input's: no expansion.
      kernel_size: of the depthwise convolution; padded symmetrically.
      strides: step of the depthwise convolution.
      attention: makes a module, given `name`, that is applied after the depthwise convolution; or None.
      drop_path: probability that training skips the branch of an image, in [0, 1).
      act: the activation.
      norm: the normalization.
      dtype: type of the computation.

    Example:
      >>> import jax.numpy as jnp
      >>> block = InvertedResidual(24, 96, strides=2)
      >>> jax.eval_shape(block.init_with_output, jax.random.key(0), jnp.ones((1, 8, 8, 16)))[0].shape
      (1, 4, 4, 24)
    """

    features: int
    hidden: int
    kernel_size: int = 3
    strides: int = 1
    attention: Callable[..., nn.Module] | None = None
    drop_path: float = 0.0
    act: Activation = nn.relu6
    norm: Norm = BatchNorm()
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """(N, H, W, C) → (N, ceil(H / strides), ceil(W / strides), features)."""
        shared = {"norm": self.norm, "dtype": self.dtype}
        y = x
        if self.hidden != x.shape[-1]:
            y = ConvNorm(self.hidden, 1, act=self.act, name="expand", **shared)(y, train)
        y = ConvNorm(
            self.hidden,
            self.kernel_size,
            self.strides,
            self.kernel_size // 2,
            groups=self.hidden,
            act=self.act,
            name="depthwise",
            **shared,
        )(y, train)
        if self.attention is not None:
            y = self.attention(name="attention")(y)
        y = ConvNorm(self.features, 1, act=None, name="project", **shared)(y, train)
        if self.strides != 1 or x.shape != y.shape:
            return y
        if self.drop_path:
            y = nn.Dropout(self.drop_path, (1, 2, 3), deterministic=not train, name="drop_path")(y)
        return x + y
