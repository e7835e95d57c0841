"""Inverted residuals: wide inside, narrow between blocks.

References: Sandler et al., 2018, arXiv:1801.04381; with attention Tan et al., 2018, arXiv:1807.11626;
fused Tan & Le, 2021, arXiv:2104.00298.
"""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax

from zoo.layers.arithmetic import Padding
from zoo.layers.composite import Activation, ConvNorm
from zoo.layers.normalization import BatchNorm, Norm


class _Inverted(nn.Module):
    """What both forms share: the fields, and the way around the branch.

    Attributes:
      features: output channels.
      hidden: channels inside; equal to the input's: no expansion.
      kernel_size: of the spatial convolution.
      strides: step of the spatial convolution.
      dilation: spacing of its taps.
      attention: makes a module, given `name`, that is applied to the hidden channels; or None.
      drop_path: probability that training skips the branch of an image, in [0, 1).
      act: the activation.
      norm: the normalization.
      dtype: type of the computation.
      padding: of the spatial convolution; None: symmetric, by half the kernel.
    """

    features: int
    hidden: int
    kernel_size: int = 3
    strides: int = 1
    dilation: int = 1
    attention: Callable[..., nn.Module] | None = None
    drop_path: float = 0.0
    act: Activation = nn.relu6
    norm: Norm = BatchNorm()
    dtype: Any = None
    padding: Padding | None = None

    def _pointwise(self, name: str, features: int, act: Activation | None = None) -> ConvNorm:
        return ConvNorm(features, 1, act=act, norm=self.norm, dtype=self.dtype, name=name)

    def _spatial(self, name: str, features: int, groups: int = 1) -> ConvNorm:
        return ConvNorm(
            features,
            self.kernel_size,
            self.strides,
            self.dilation * (self.kernel_size // 2) if self.padding is None else self.padding,
            self.dilation,
            groups,
            act=self.act,
            norm=self.norm,
            dtype=self.dtype,
            name=name,
        )

    def _attend(self, y: jax.Array) -> jax.Array:
        return y if self.attention is None else self.attention(name="attention")(y)

    def _join(self, x: jax.Array, y: jax.Array, train: bool) -> jax.Array:
        if self.strides != 1 or x.shape != y.shape:
            return y
        if self.drop_path:
            y = nn.Dropout(self.drop_path, (1, 2, 3), deterministic=not train, name="drop_path")(y)
        return x + y


class InvertedResidual(_Inverted):
    """1×1 up to `hidden`, depthwise, 1×1 down to `features` without activation; a shortcut where shapes allow.

    Example:
      >>> import jax.numpy as jnp
      >>> block = InvertedResidual(24, 96, strides=2)
      >>> jax.eval_shape(block.init_with_output, jax.random.key(0), jnp.ones((1, 8, 8, 16)))[0].shape
      (1, 4, 4, 24)
    """

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """(N, H, W, C) → (N, ceil(H / strides), ceil(W / strides), features)."""
        y = x if self.hidden == x.shape[-1] else self._pointwise("expand", self.hidden, self.act)(x, train)
        y = self._attend(self._spatial("depthwise", self.hidden, groups=self.hidden)(y, train))
        return self._join(x, self._pointwise("project", self.features)(y, train), train)


class FusedInvertedResidual(_Inverted):
    """One standard convolution up to `hidden` instead of 1×1 and depthwise; then 1×1 down without activation.

    Without expansion, the standard convolution alone.

    Example:
      >>> import jax.numpy as jnp
      >>> block = FusedInvertedResidual(24, 96, strides=2)
      >>> jax.eval_shape(block.init_with_output, jax.random.key(0), jnp.ones((1, 8, 8, 16)))[0].shape
      (1, 4, 4, 24)
    """

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """(N, H, W, C) → (N, ceil(H / strides), ceil(W / strides), features)."""
        if self.hidden == x.shape[-1]:
            return self._join(x, self._attend(self._spatial("fused", self.features)(x, train)), train)
        y = self._attend(self._spatial("fused", self.hidden)(x, train))
        return self._join(x, self._pointwise("project", self.features)(y, train), train)
