"""Residual blocks: what a layer adds to its input, and the plain blocks they are measured against.

Every block takes `(x, train)` and has the same fields, so a network is a choice of
block and a list of widths.

Reference: He et al., 2015, arXiv:1512.03385.
"""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from zoo.layers.composite import Activation, ConvNorm
from zoo.layers.normalization import BatchNorm, Norm

Shortcut = Literal["projection", "pad"]


def pad_shortcut(x: jax.Array, features: int, strides: int) -> jax.Array:
    """The shortcut without parameters ("option A"): every `strides`-th pixel, and zeros as new channels.

    Args:
      x: (N, H, W, C).
      features: channels wanted, at least C.
      strides: step between the pixels kept.

    Returns:
      (N, ceil(H / strides), ceil(W / strides), features).

    Raises:
      ValueError: fewer channels wanted than there are.

    Example:
      >>> pad_shortcut(jnp.ones((1, 8, 8, 16)), 32, 2).shape
      (1, 4, 4, 32)
    """
    extra = features - x.shape[-1]
    if extra < 0:
        raise ValueError(f"shortcut='pad' cannot go from {x.shape[-1]} down to {features} channels: use 'projection'")
    return jnp.pad(x[:, ::strides, ::strides], ((0, 0), (0, 0), (0, 0), (extra // 2, extra - extra // 2)))


class _Block(nn.Module):
    """What all blocks share: the fields, and the path around the residual branch.

    Attributes:
      features: width of the block; the output has `features · expansion` channels.
      strides: step of the first spatial convolution.
      groups: groups of that convolution (ResNeXt).
      base_width: width of the inner convolution at 64 features (Wide ResNet, ResNeXt).
      dilation: spacing of the taps of the 3×3 convolutions.
      shortcut: `"projection"` (1×1 convolution where shapes change) or `"pad"` (`pad_shortcut`).
      attention: a module class applied to the branch before the addition (squeeze-excite), or None.
      act: the activation.
      norm: the normalization.
      dtype: type of the computation.
    """

    features: int
    strides: int = 1
    groups: int = 1
    base_width: int = 64
    dilation: int = 1
    shortcut: Shortcut = "projection"
    attention: Callable[..., nn.Module] | None = None
    act: Activation = nn.relu
    norm: Norm = BatchNorm()
    dtype: Any = None

    expansion: ClassVar[int] = 1

    def _conv(self, name: str, features: int, kernel_size: int, act: Activation | None = None, **settings) -> ConvNorm:
        padding = settings.get("dilation", 1) * (kernel_size // 2)
        return ConvNorm(
            features, kernel_size, padding=padding, act=act, norm=self.norm, dtype=self.dtype, name=name, **settings
        )

    def _around(self, x: jax.Array, train: bool) -> jax.Array:
        features = self.features * self.expansion
        if self.strides == 1 and x.shape[-1] == features:
            return x
        if self.shortcut == "pad":
            return pad_shortcut(x, features, self.strides)
        return self._conv("shortcut", features, 1, strides=self.strides)(x, train)

    def _join(self, x: jax.Array, branch: jax.Array, train: bool) -> jax.Array:
        if self.attention is not None:
            branch = self.attention(name="attention")(branch)
        return self.act(self._around(x, train) + branch)


class BasicBlock(_Block):
    """Two 3×3 convolutions and a way around them.

    Example:
      >>> block = BasicBlock(16, strides=2)
      >>> jax.eval_shape(block.init_with_output, jax.random.key(0), jnp.ones((1, 8, 8, 8)))[0].shape
      (1, 4, 4, 16)
    """

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """(N, H, W, C) → (N, ceil(H / strides), ceil(W / strides), features)."""
        if self.groups != 1 or self.base_width != 64:
            raise ValueError(
                f"groups={self.groups}, base_width={self.base_width}: only BottleneckBlock has an inner width"
            )
        y = self._conv("conv1", self.features, 3, self.act, strides=self.strides, dilation=self.dilation)(x, train)
        y = self._conv("conv2", self.features, 3, dilation=self.dilation)(y, train)
        return self._join(x, y, train)


class PlainBlock(_Block):
    """`BasicBlock` without the way around: the control in the degradation experiment.

    Example:
      >>> block = PlainBlock(16, strides=2)
      >>> jax.eval_shape(block.init_with_output, jax.random.key(0), jnp.ones((1, 8, 8, 8)))[0].shape
      (1, 4, 4, 16)
    """

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """(N, H, W, C) → (N, ceil(H / strides), ceil(W / strides), features)."""
        x = self._conv("conv1", self.features, 3, self.act, strides=self.strides, dilation=self.dilation)(x, train)
        return self._conv("conv2", self.features, 3, self.act, dilation=self.dilation)(x, train)


class BottleneckBlock(_Block):
    """1×1 down, 3×3, 1×1 up to four times the width, and a way around them.

    The stride is on the 3×3 convolution, as in torchvision ("v1.5"), not on the
    first 1×1 as in the paper.

    Example:
      >>> block = BottleneckBlock(16, strides=2)
      >>> jax.eval_shape(block.init_with_output, jax.random.key(0), jnp.ones((1, 8, 8, 8)))[0].shape
      (1, 4, 4, 64)
    """

    expansion: ClassVar[int] = 4

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """(N, H, W, C) → (N, ceil(H / strides), ceil(W / strides), 4 · features)."""
        width = self.features * self.base_width // 64 * self.groups
        y = self._conv("conv1", width, 1, self.act)(x, train)
        y = self._conv("conv2", width, 3, self.act, strides=self.strides, dilation=self.dilation, groups=self.groups)(
            y, train
        )
        y = self._conv("conv3", self.features * self.expansion, 1)(y, train)
        return self._join(x, y, train)


class Stage(nn.Module):
    """Blocks in a row, named `block1`, `block2`, …; only the first one strides.

    Attributes:
      blocks: what makes each block, given `strides` and `name`.
      strides: step of the first block.
    """

    blocks: Sequence[Callable[..., nn.Module]]
    strides: int = 1

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """(N, H, W, C) → the last block's output."""
        for index, block in enumerate(self.blocks):
            x = block(strides=1 if index else self.strides, name=f"block{index + 1}")(x, train)
        return x
