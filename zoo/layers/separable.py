"""Convolutions that factor: over channels and space (depthwise), or over rows and columns."""

from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from convzoo.checks import integer
from zoo.layers.arithmetic import Padding, Sizes, padding_pairs, per_axis
from zoo.layers.convolutions import Conv, PointwiseConv, Weighted, convolution, kernel_sizes


class DepthwiseConv(Weighted):
    """The depthwise convolution: one kernel for each channel, without mixing channels.

    Attributes:
      kernel_size, strides, padding, dilation: those of `Conv`.
      use_bias: add one learned number to each output channel.
      multiplier: outputs of each input channel.
      dtype, param_dtype, kernel_init, bias_init: those of `Weighted`.

    Example:
      >>> layer = DepthwiseConv(3)
      >>> jax.eval_shape(layer.init_with_output, jax.random.key(0), jnp.ones((1, 8, 8, 16)))[0].shape
      (1, 8, 8, 16)

    Reference: Howard et al., 2017, arXiv:1704.04861.
    """

    kernel_size: Sizes
    strides: Sizes = 1
    padding: Padding = "SAME"
    dilation: Sizes = 1
    use_bias: bool = True
    multiplier: int = 1

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """(*batch, *spatial, C) → (*batch, *output sizes, C · multiplier)."""
        kernel_size = kernel_sizes(x, self.kernel_size)
        multiplier = integer("multiplier", self.multiplier)
        channels = x.shape[-1]
        return self._weigh(
            x,
            (*kernel_size, 1, channels * multiplier),
            (channels * multiplier,) if self.use_bias else None,
            lambda x, kernel: convolution(x, kernel, self.strides, self.padding, self.dilation, channels),
            len(kernel_size),
        )


class DepthwiseSeparableConv(nn.Module):
    """Filter every channel alone, then mix them at every position: `depthwise`, then `pointwise`.

    Against a standard convolution it has 1/features + 1/k² of the weights and operations.

    Attributes:
      features: output channels.
      kernel_size, strides, padding, dilation: those of `Conv`.
      use_bias: add one learned number to each output channel.
      dtype: type of the computation.

    Example:
      >>> layer = DepthwiseSeparableConv(32, 3, strides=2)
      >>> jax.eval_shape(layer.init_with_output, jax.random.key(0), jnp.ones((1, 8, 8, 16)))[0].shape
      (1, 4, 4, 32)

    Reference: Howard et al., 2017, arXiv:1704.04861.
    """

    features: int
    kernel_size: Sizes
    strides: Sizes = 1
    padding: Padding = "SAME"
    dilation: Sizes = 1
    use_bias: bool = True
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """(*batch, H, W, C_in) → (*batch, *output sizes, features)."""
        x = DepthwiseConv(
            self.kernel_size,
            self.strides,
            self.padding,
            self.dilation,
            use_bias=False,
            dtype=self.dtype,
            name="depthwise",
        )(x)
        return PointwiseConv(self.features, use_bias=self.use_bias, dtype=self.dtype, name="pointwise")(x)


class SpatiallySeparableConv(nn.Module):
    """A k×1 convolution of every channel alone, then a 1×k convolution that mixes the channels.

    On one channel, k + k weights do the work of k² where the kernel has rank one
    (`separable_factors` tells).

    Attributes:
      features: output channels.
      kernel_size, strides, padding, dilation: those of `Conv`, over height and width.
      use_bias: add one learned number to each output channel.
      dtype: type of the computation.

    Example:
      >>> layer = SpatiallySeparableConv(32, 3)
      >>> jax.eval_shape(layer.init_with_output, jax.random.key(0), jnp.ones((1, 8, 8, 16)))[0].shape
      (1, 8, 8, 32)
    """

    features: int
    kernel_size: Sizes
    strides: Sizes = 1
    padding: Padding = "SAME"
    dilation: Sizes = 1
    use_bias: bool = True
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """(*batch, H, W, C_in) → (*batch, *output sizes, features)."""
        kernel_size = kernel_sizes(x, per_axis(self.kernel_size, 2, "kernel_size"))
        (height, width), strides = kernel_size, per_axis(self.strides, 2, "strides")
        dilation = per_axis(self.dilation, 2, "dilation")
        rows, columns = padding_pairs(self.padding, x.shape[-3:-1], kernel_size, strides, dilation)
        x = DepthwiseConv(
            (height, 1),
            (strides[0], 1),
            (rows, (0, 0)),
            (dilation[0], 1),
            use_bias=False,
            dtype=self.dtype,
            name="vertical",
        )(x)
        return Conv(
            self.features,
            (1, width),
            (1, strides[1]),
            ((0, 0), columns),
            (1, dilation[1]),
            use_bias=self.use_bias,
            dtype=self.dtype,
            name="horizontal",
        )(x)


class Factors(NamedTuple):
    """A kernel as a sum of `rank` outer products of columns and rows.

    Attributes:
      vertical: (H, rank, ...) columns.
      horizontal: (rank, W, ...) rows.
      error: (...) Frobenius norm of what is left, relative to the kernel's; 0: exact.
      rank: (...) numerical rank of the kernel: with this many products the error is rounding.
    """

    vertical: jax.Array
    horizontal: jax.Array
    error: jax.Array
    rank: jax.Array


def separable_factors(kernel: jax.Array, rank: int = 1) -> Factors:
    r"""The best approximation of a kernel by `rank` separable ones, and how good it is.

    .. math:: K \approx \sum_{r=1}^{R} v_r h_r^{\mathsf T}

    from the singular value decomposition, which is optimal in the Frobenius norm (Eckart & Young, 1936).

    Args:
      kernel: (H, W, ...), such as HWIO: every slice over the trailing axes is factored by itself.
      rank: number R of products, from 1 to min(H, W).

    Returns:
      `Factors`; a slice costs R · (H + W) weights instead of H · W.

    Raises:
      ValueError: fewer than two axes, or a rank out of range.

    Example:
      >>> factors = separable_factors(jnp.array([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]]))
      >>> int(factors.rank), factors.vertical.size + factors.horizontal.size
      (1, 6)
    """
    if kernel.ndim < 2:
        raise ValueError(f"a kernel of shape {kernel.shape}: expected (height, width, ...)")
    if kernel.dtype.itemsize < 4:
        kernel = kernel.astype(jnp.float32)  # there is no decomposition in half precision
    limit = min(kernel.shape[:2])
    if integer("rank", rank) > limit:
        raise ValueError(f"rank={rank!r}: a {kernel.shape[0]}×{kernel.shape[1]} kernel has from 1 to {limit}")
    left, sizes, right = jnp.linalg.svd(jnp.moveaxis(kernel, (0, 1), (-2, -1)), full_matrices=False)
    scale = jnp.sqrt(sizes[..., :rank])
    energy = jnp.sum(sizes**2, axis=-1)
    lost = jnp.sum(sizes[..., rank:] ** 2, axis=-1)
    threshold = sizes[..., :1] * (max(kernel.shape[:2]) * float(jnp.finfo(sizes.dtype).eps))
    return Factors(
        vertical=jnp.moveaxis(left[..., :rank] * scale[..., None, :], (-2, -1), (0, 1)),
        horizontal=jnp.moveaxis(right[..., :rank, :] * scale[..., :, None], (-2, -1), (0, 1)),
        error=jnp.sqrt(lost / jnp.where(energy > 0, energy, jnp.ones_like(energy))),
        rank=jnp.sum(sizes > threshold, axis=-1),
    )
