"""The standard convolution, of which the others are cases or compositions."""

import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from zoo.layers import lowering
from zoo.layers.arithmetic import Padding, Sizes, extent, padding_pairs, per_axis


def convolution(
    x: jax.Array,
    kernel: jax.Array,
    strides: Sizes = 1,
    padding: Padding = "SAME",
    dilation: Sizes = 1,
    groups: int = 1,
) -> jax.Array:
    r"""Cross-correlate a batch of images with a kernel.

    .. math:: y_{n,p,o} = \sum_{t,c} x_{n,\, S p + D t - P,\, c}\; k_{t,c,o}

    Args:
      x: (N, *spatial, C_in) images.
      kernel: (*kernel_size, C_in / groups, C_out) weights.
      strides: step S between outputs, in pixels.
      padding: `"SAME"`, `"VALID"`, an integer, or one integer or (before, after) pair an axis.
      dilation: spacing D of the kernel's taps; the kernel spans (k − 1)·D + 1 pixels.
      groups: the channels are cut into this many groups that do not see each other.

    Returns:
      (N, *output sizes, C_out), in the promoted type of `x` and `kernel`.

    Raises:
      ValueError: ranks, channels and groups that do not fit, or a kernel that spans
        more than the padded input.

    Example:
      >>> convolution(jnp.ones((1, 4, 4, 3)), jnp.ones((3, 3, 3, 1)), padding="VALID").shape
      (1, 2, 2, 1)
    """
    if x.ndim < 3 or kernel.ndim != x.ndim:
        raise ValueError(
            f"images of shape {x.shape} and a kernel of shape {kernel.shape}: "
            "expected (N, *spatial, C_in) and (*kernel_size, C_in / groups, C_out)"
        )
    rank = x.ndim - 2
    kernel_size = kernel.shape[:-2]
    strides = per_axis(strides, rank, "strides")
    dilation = per_axis(dilation, rank, "dilation")
    check_groups(x.shape[-1], kernel.shape[-1], groups)
    if kernel.shape[-2] * groups != x.shape[-1]:
        raise ValueError(
            f"a kernel of shape {kernel.shape} in {groups} group(s) takes {kernel.shape[-2] * groups} input channels, "
            f"but the images have {x.shape[-1]}"
        )
    pairs = padding_pairs(padding, x.shape[1:-1], kernel_size, strides, dilation)
    for axis, (size, k, d, pair) in enumerate(zip(x.shape[1:-1], kernel_size, dilation, pairs, strict=True)):
        if extent(k, d) > size + sum(pair):
            raise ValueError(
                f"a kernel of {k} at dilation {d} spans {extent(k, d)} pixels, but spatial axis {axis} has {size} and "
                f"padding {pair}: use padding='SAME', a smaller kernel or a larger input"
            )
    return lowering.convolve(x, kernel, strides, pairs, dilation, groups)


def check_groups(inputs: int, outputs: int, groups: int) -> None:
    """Refuse a number of groups that does not divide both channel counts."""
    if groups < 1 or inputs % groups or outputs % groups:
        common = math.gcd(inputs, outputs)
        fits = [g for g in range(1, common + 1) if common % g == 0]
        nearest = min(fits, key=lambda g: (abs(g - groups), g))
        raise ValueError(
            f"groups={groups} does not divide {inputs} input and {outputs} output channels: "
            f"the nearest that does is {nearest}"
        )


class Conv(nn.Module):
    """The standard convolution, grouped, strided and dilated; same variables as `flax.linen.Conv`.

    Attributes:
      features: output channels.
      kernel_size: one integer for a square kernel over images, or one a spatial axis.
      strides: step between outputs.
      padding: `"SAME"` (default), `"VALID"`, an integer, or pairs (`zoo.layers.convolution`).
      dilation: spacing of the kernel's taps.
      groups: groups of channels that do not see each other; equal to the input channels: depthwise.
      use_bias: add one learned number to each output channel.
      dtype: type of the computation; by default that of the images and parameters.
      param_dtype: type in which the parameters are kept.
      kernel_init, bias_init: initializers.

    Example:
      >>> layer = Conv(16, 3, strides=2)
      >>> jax.eval_shape(layer.init_with_output, jax.random.key(0), jnp.ones((1, 8, 8, 3)))[0].shape
      (1, 4, 4, 16)
    """

    features: int
    kernel_size: Sizes
    strides: Sizes = 1
    padding: Padding = "SAME"
    dilation: Sizes = 1
    groups: int = 1
    use_bias: bool = True
    dtype: Any = None
    param_dtype: Any = jnp.float32
    kernel_init: nn.initializers.Initializer = nn.initializers.lecun_normal()
    bias_init: nn.initializers.Initializer = nn.initializers.zeros_init()

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Convolve.

        Args:
          x: (*batch, *spatial, C_in), with any number of batch axes.

        Returns:
          (*batch, *output sizes, features).
        """
        rank = 2 if isinstance(self.kernel_size, int) else len(self.kernel_size)
        kernel_size = per_axis(self.kernel_size, rank, "kernel_size")
        per_axis(self.features, 1, "features")
        if x.ndim < rank + 1:
            raise ValueError(
                f"an input of shape {x.shape} has too few axes for a kernel of {kernel_size}: "
                "expected (*batch, *spatial, channels)"
            )
        inputs = x.shape[-1]
        check_groups(inputs, self.features, self.groups)
        kernel = self.param(
            "kernel", self.kernel_init, (*kernel_size, inputs // self.groups, self.features), self.param_dtype
        )
        bias = self.param("bias", self.bias_init, (self.features,), self.param_dtype) if self.use_bias else None
        x, kernel, bias = nn.dtypes.promote_dtype(x, kernel, bias, dtype=self.dtype)
        batch = x.shape[: -rank - 1]
        y = convolution(
            x.reshape(-1, *x.shape[-rank - 1 :]), kernel, self.strides, self.padding, self.dilation, self.groups
        )
        if bias is not None:
            y = y + bias.reshape((1,) * (y.ndim - 1) + (-1,))
        return y.reshape(*batch, *y.shape[1:])
