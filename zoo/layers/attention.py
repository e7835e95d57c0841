"""Attention over channels and over space."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from convzoo.checks import integer
from zoo.layers.composite import Activation
from zoo.layers.convolutions import Conv, PointwiseConv, kernel_sizes


def _narrow(channels: int, width: int | None, reduction: int) -> int:
    """The width of a bottleneck: as given, or the channels divided by `reduction`, at least one."""
    if width is not None:
        return integer("width", width)
    return max(1, channels // integer("reduction", reduction))


class SqueezeExcite(nn.Module):
    r"""Weigh each channel by a gate computed from the whole image.

    .. math:: y = x \cdot \mathrm{gate}(W_2\, \mathrm{act}(W_1 \bar x + b_1) + b_2)

    with :math:`\bar x` the mean over space.

    Attributes:
      reduction: channels of the input for each one of the bottleneck.
      width: channels of the bottleneck; replaces `reduction` when given.
      act: activation of the bottleneck.
      gate: makes the weights; the sigmoid, or the hard sigmoid of MobileNetV3.
      dtype: type of the computation.

    Example:
      >>> layer = SqueezeExcite(reduction=4)
      >>> jax.eval_shape(layer.init_with_output, jax.random.key(0), jnp.ones((1, 8, 8, 16)))[0].shape
      (1, 8, 8, 16)

    Reference: Hu, Shen & Sun, 2017, arXiv:1709.01507.
    """

    reduction: int = 16
    width: int | None = None
    act: Activation = nn.relu
    gate: Activation = nn.sigmoid
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """(*batch, H, W, C) → (*batch, H, W, C)."""
        kernel_sizes(x, 1)  # refuses what has no height and width
        mean = jnp.mean(x, axis=(-3, -2), keepdims=True)
        width = _narrow(x.shape[-1], self.width, self.reduction)
        y = self.act(PointwiseConv(width, dtype=self.dtype, name="fc1")(mean))
        return x * self.gate(PointwiseConv(x.shape[-1], dtype=self.dtype, name="fc2")(y))


class CBAM(nn.Module):
    r"""Weigh the channels, then the positions.

    Channels by :math:`\sigma(f(\mathrm{mean}) + f(\max))`, with one small network f for both;
    positions by the sigmoid of a convolution over the mean and the maximum of the channels.

    Attributes:
      reduction: channels of the input for each one of the bottleneck.
      kernel_size: of the convolution that weighs positions.
      act: activation of the bottleneck.
      dtype: type of the computation.

    Example:
      >>> layer = CBAM(reduction=4)
      >>> jax.eval_shape(layer.init_with_output, jax.random.key(0), jnp.ones((1, 8, 8, 16)))[0].shape
      (1, 8, 8, 16)

    Reference: Woo et al., 2018, arXiv:1807.06521.
    """

    reduction: int = 16
    kernel_size: int = 7
    act: Activation = nn.relu
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """(*batch, H, W, C) → (*batch, H, W, C)."""
        kernel_sizes(x, self.kernel_size)
        width = _narrow(x.shape[-1], None, self.reduction)
        fc1 = PointwiseConv(width, dtype=self.dtype, name="fc1")
        fc2 = PointwiseConv(x.shape[-1], dtype=self.dtype, name="fc2")
        mean, peak = (reduce(x, axis=(-3, -2), keepdims=True) for reduce in (jnp.mean, jnp.max))
        x = x * nn.sigmoid(fc2(self.act(fc1(mean))) + fc2(self.act(fc1(peak))))
        statistics = jnp.concatenate([reduce(x, axis=-1, keepdims=True) for reduce in (jnp.mean, jnp.max)], axis=-1)
        return x * nn.sigmoid(Conv(1, self.kernel_size, use_bias=False, dtype=self.dtype, name="spatial")(statistics))
