"""Convolution, normalization, activation: the compositions that most networks consist of."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax

from zoo.layers.arithmetic import Padding, Sizes
from zoo.layers.convolutions import Conv
from zoo.layers.normalization import BatchNorm, Norm

Activation = Callable[[jax.Array], jax.Array]


class ConvNorm(nn.Module):
    """`conv`, then `norm`, then the activation.

    Attributes:
      features, kernel_size, strides, padding, dilation, groups, use_bias: those of `Conv`;
        no bias by default, since the normalization would take it away again.
      act: the activation; None: linear.
      norm: the normalization.
      conv: the class of the convolution, with the fields of `Conv`.
      dtype: type of the computation.

    Example:
      >>> layer = ConvNorm(8, 3, padding=1)
      >>> jax.eval_shape(layer.init_with_output, jax.random.key(0), jax.numpy.ones((1, 8, 8, 3)))[0].shape
      (1, 8, 8, 8)
    """

    features: int
    kernel_size: Sizes
    strides: Sizes = 1
    padding: Padding = "SAME"
    dilation: Sizes = 1
    groups: int = 1
    use_bias: bool = False
    act: Activation | None = nn.relu
    norm: Norm = BatchNorm()
    conv: Callable[..., nn.Module] = Conv
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """(N, *spatial, C_in) → (N, *output sizes, features)."""
        x = self.conv(
            self.features,
            self.kernel_size,
            self.strides,
            self.padding,
            self.dilation,
            self.groups,
            self.use_bias,
            dtype=self.dtype,
            kernel_init=nn.initializers.he_normal(),
            name="conv",
        )(x)
        x = self.norm(x, train=train, name="norm", dtype=self.dtype)
        return x if self.act is None else self.act(x)


class NormConv(nn.Module):
    """`norm`, then the activation, then `conv`: the order of pre-activation and densely connected networks.

    Attributes:
      features, kernel_size, strides, padding, dilation, groups, use_bias: those of `Conv`.
      act: the activation; None: linear.
      norm: the normalization.
      dtype: type of the computation.

    Example:
      >>> layer = NormConv(8, 3, padding=1)
      >>> jax.eval_shape(layer.init_with_output, jax.random.key(0), jax.numpy.ones((1, 8, 8, 3)))[0].shape
      (1, 8, 8, 8)

    Reference: He et al., 2016, arXiv:1603.05027.
    """

    features: int
    kernel_size: Sizes
    strides: Sizes = 1
    padding: Padding = "SAME"
    dilation: Sizes = 1
    groups: int = 1
    use_bias: bool = False
    act: Activation | None = nn.relu
    norm: Norm = BatchNorm()
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """(N, *spatial, C_in) → (N, *output sizes, features)."""
        x = self.norm(x, train=train, name="norm", dtype=self.dtype)
        return Conv(
            self.features,
            self.kernel_size,
            self.strides,
            self.padding,
            self.dilation,
            self.groups,
            self.use_bias,
            dtype=self.dtype,
            kernel_init=nn.initializers.he_normal(),
            name="conv",
        )(x if self.act is None else self.act(x))
