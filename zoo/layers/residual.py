"""Residual blocks, and the plain and highway blocks that they are compared with.

Every block takes `(x, train)` and has the same fields, so a network is a choice of
block and a list of widths.

Reference: He et al., 2015, arXiv:1512.03385.
"""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal, get_args

import flax.linen as nn
import jax
import jax.numpy as jnp

from zoo.layers.composite import Activation, ConvNorm
from zoo.layers.convolutions import Conv
from zoo.layers.normalization import BatchNorm, Norm

Shortcut = Literal["projection", "pad"]


def pad_shortcut(x: jax.Array, features: int, strides: int) -> jax.Array:
    """The shortcut without parameters ("option A"): every `strides`-th pixel, and zeros as new channels.

    Args:
      x: (N, H, W, C).
      features: output channels, at least C.
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
      late_dilation: that of those after the strided one, where dilation replaces its stride; None: the same.
      shortcut: `"projection"` (1×1 convolution where shapes change) or `"pad"` (`pad_shortcut`).
      attention: a module class applied to the branch before the addition (squeeze-excite), or None.
      conv: the class of the 3×3 convolutions of the branch, with the fields of `Conv`.
      act: the activation.
      norm: the normalization.
      dtype: type of the computation.
    """

    features: int
    strides: int = 1
    groups: int = 1
    base_width: int = 64
    dilation: int = 1
    late_dilation: int | None = None
    shortcut: Shortcut = "projection"
    attention: Callable[..., nn.Module] | None = None
    conv: Callable[..., nn.Module] = Conv
    act: Activation = nn.relu
    norm: Norm = BatchNorm()
    dtype: Any = None

    expansion: ClassVar[int] = 1

    def _conv(self, name: str, features: int, kernel_size: int, act: Activation | None = None, **settings) -> ConvNorm:
        padding = settings.get("dilation", 1) * (kernel_size // 2)
        conv = self.conv if kernel_size == 3 else Conv
        return ConvNorm(
            features,
            kernel_size,
            padding=padding,
            act=act,
            norm=self.norm,
            conv=conv,
            dtype=self.dtype,
            name=name,
            **settings,
        )

    def _check_no_inner_width(self) -> None:
        if self.groups != 1 or self.base_width != 64:
            raise ValueError(
                f"groups={self.groups}, base_width={self.base_width}: {type(self).__name__} has no inner width; "
                "a bottleneck block has"
            )

    def _pads(self) -> bool:
        if self.shortcut not in get_args(Shortcut):
            raise ValueError(f"shortcut={self.shortcut!r} is unknown: give 'projection' or 'pad'")
        return self.shortcut == "pad"

    @property
    def _inner_width(self) -> int:
        return self.features * self.base_width // 64 * self.groups

    def _around(self, x: jax.Array, train: bool) -> jax.Array:
        features = self.features * self.expansion
        if self.strides == 1 and x.shape[-1] == features:
            return x
        if self._pads():
            return pad_shortcut(x, features, self.strides)
        return self._conv("shortcut", features, 1, strides=self.strides)(x, train)

    def _join(self, x: jax.Array, branch: jax.Array, train: bool) -> jax.Array:
        if self.attention is not None:
            branch = self.attention(name="attention")(branch)
        return self.act(self._around(x, train) + branch)


class BasicBlock(_Block):
    """Two 3×3 convolutions and a shortcut.

    Example:
      >>> block = BasicBlock(16, strides=2)
      >>> jax.eval_shape(block.init_with_output, jax.random.key(0), jnp.ones((1, 8, 8, 8)))[0].shape
      (1, 4, 4, 16)
    """

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """(N, H, W, C) → (N, ceil(H / strides), ceil(W / strides), features)."""
        self._check_no_inner_width()
        y = self._conv("conv1", self.features, 3, self.act, strides=self.strides, dilation=self.dilation)(x, train)
        y = self._conv("conv2", self.features, 3, dilation=self.late_dilation or self.dilation)(y, train)
        return self._join(x, y, train)


class PlainBlock(_Block):
    """`BasicBlock` without the shortcut: the control in the degradation experiment.

    Example:
      >>> block = PlainBlock(16, strides=2)
      >>> jax.eval_shape(block.init_with_output, jax.random.key(0), jnp.ones((1, 8, 8, 8)))[0].shape
      (1, 4, 4, 16)
    """

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """(N, H, W, C) → (N, ceil(H / strides), ceil(W / strides), features)."""
        self._check_no_inner_width()
        x = self._conv("conv1", self.features, 3, self.act, strides=self.strides, dilation=self.dilation)(x, train)
        return self._conv("conv2", self.features, 3, self.act, dilation=self.late_dilation or self.dilation)(x, train)


class BottleneckBlock(_Block):
    """1×1 down, 3×3, 1×1 up to four times the width, and a shortcut.

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
        width = self._inner_width
        y = self._conv("conv1", width, 1, self.act)(x, train)
        y = self._conv("conv2", width, 3, self.act, strides=self.strides, dilation=self.dilation, groups=self.groups)(
            y, train
        )
        y = self._conv("conv3", self.features * self.expansion, 1)(y, train)
        return self._join(x, y, train)


class PreActivationBlock(_Block):
    """`BasicBlock` with normalization and activation before each convolution, and nothing after the addition.

    What one block adds reaches every later one unchanged. Where the shape changes, the
    shortcut is a 1×1 convolution of the activated input; a network of these needs a
    normalization and an activation after its last block.

    Example:
      >>> block = PreActivationBlock(16, strides=2)
      >>> jax.eval_shape(block.init_with_output, jax.random.key(0), jnp.ones((1, 8, 8, 8)))[0].shape
      (1, 4, 4, 16)

    Reference: He et al., 2016, arXiv:1603.05027.
    """

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """(N, H, W, C) → (N, ceil(H / strides), ceil(W / strides), features · expansion)."""
        y, entry = x, x
        for index, (features, kernel_size, strides) in enumerate(self._convolutions(), start=1):
            y = self.act(self.norm(y, train=train, name=f"norm{index}", dtype=self.dtype))
            entry = y if index == 1 else entry
            dilation, groups = (self.dilation, self.groups) if kernel_size == 3 else (1, 1)
            y = self._bare(f"conv{index}", features, kernel_size, strides, dilation, groups)(y)
        if self.attention is not None:
            y = self.attention(name="attention")(y)
        width = self.features * self.expansion
        if self.strides == 1 and x.shape[-1] == width:
            return x + y
        if self._pads():
            return pad_shortcut(x, width, self.strides) + y
        return self._bare("shortcut", width, 1, self.strides)(entry) + y

    def _convolutions(self) -> tuple[tuple[int, int, int], ...]:
        """Features, kernel size and stride of each convolution of the branch."""
        self._check_no_inner_width()
        return (self.features, 3, self.strides), (self.features, 3, 1)

    def _bare(self, name: str, features: int, kernel_size: int, strides: int, dilation: int = 1, groups: int = 1):
        conv = self.conv if kernel_size == 3 else Conv
        return conv(
            features,
            kernel_size,
            strides,
            dilation * (kernel_size // 2),
            dilation,
            groups,
            use_bias=False,
            dtype=self.dtype,
            kernel_init=nn.initializers.he_normal(),
            name=name,
        )


class PreActivationBottleneckBlock(PreActivationBlock):
    """`PreActivationBlock` with the three convolutions of `BottleneckBlock`.

    Example:
      >>> block = PreActivationBottleneckBlock(16, strides=2)
      >>> jax.eval_shape(block.init_with_output, jax.random.key(0), jnp.ones((1, 8, 8, 8)))[0].shape
      (1, 4, 4, 64)

    Reference: He et al., 2016, arXiv:1603.05027.
    """

    expansion: ClassVar[int] = 4

    def _convolutions(self) -> tuple[tuple[int, int, int], ...]:
        width = self._inner_width
        return (width, 1, 1), (width, 3, self.strides), (self.features * self.expansion, 1, 1)


class HighwayBlock(_Block):
    r"""A convolution, and a learned gate that mixes its output with the input.

    .. math:: y = T(x) \, H(x) + (1 - T(x)) \, x, \qquad T = \sigma(W_T * x + b_T)

    Where the shape changes, the shortcut stands in for x, as in the residual blocks.

    Attributes:
      gate_bias: where b_T starts; the more negative, the more of the input passes at first.

    Example:
      >>> block = HighwayBlock(8)
      >>> jax.eval_shape(block.init_with_output, jax.random.key(0), jnp.ones((1, 8, 8, 8)))[0].shape
      (1, 8, 8, 8)

    Reference: Srivastava, Greff & Schmidhuber, 2015, arXiv:1505.00387.
    """

    gate_bias: float = -2.0

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """(N, H, W, C) → (N, ceil(H / strides), ceil(W / strides), features)."""
        self._check_no_inner_width()
        settings = {"strides": self.strides, "dilation": self.dilation, "use_bias": True}
        y = self._conv("conv", self.features, 3, self.act, **settings)(x, train)
        gate = Conv(
            self.features,
            3,
            self.strides,
            self.dilation,
            self.dilation,
            bias_init=nn.initializers.constant(self.gate_bias),
            dtype=self.dtype,
            name="gate",
        )(x)
        if self.attention is not None:
            y = self.attention(name="attention")(y)
        share = nn.sigmoid(gate)
        return share * y + (1 - share) * self._around(x, train)


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
