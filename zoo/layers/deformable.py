"""The deformable convolution: a kernel whose taps are moved by offsets computed from the image."""

import itertools
import math

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from convzoo.checks import integer
from zoo.layers.arithmetic import Padding, Sizes, check_floats, per_axis
from zoo.layers.convolutions import Conv, Weighted, check_groups, convolution, geometry, kernel_sizes


def bilinear_sample(x: jax.Array, positions: jax.Array) -> jax.Array:
    r"""Sample images between their pixels by bilinear interpolation.

    .. math:: x(r, c) = \sum_{i,j} \max(0, 1 - |r - i|)\, \max(0, 1 - |c - j|)\; x_{ij}

    Pixels outside the image are zero. The positions enter the weights, so the result is
    differentiable in them (not at integers, where the slope jumps).

    Args:
      x: (N, H, W, C) images.
      positions: (N, ..., 2) rows and columns in pixels, the first pixel's centre at 0.

    Returns:
      (N, ..., C).

    Raises:
      ValueError: shapes that do not fit, or bytes or other integers.

    Example:
      >>> image = jnp.arange(16.0).reshape(1, 4, 4, 1)
      >>> bilinear_sample(image, jnp.array([[[1.5, 2.0]]])).item()
      8.0

    Reference: Dai et al., 2017, arXiv:1703.06211, equation 3.
    """
    if x.ndim != 4 or positions.ndim < 2 or positions.shape[-1] != 2 or positions.shape[0] != x.shape[0]:
        raise ValueError(
            f"images of shape {x.shape} and positions of shape {positions.shape}: expected (N, H, W, C) and (N, ..., 2)"
        )
    check_floats("images", x)
    count, height, width, channels = x.shape
    pixels = jnp.asarray(x).reshape(-1, channels)
    first = np.arange(count, dtype=np.int32).reshape(-1, *(1,) * (positions.ndim - 2)) * (height * width)
    floor = jnp.floor(positions)
    share = positions - floor
    corner = floor.astype(jnp.int32)
    total = jnp.zeros((), x.dtype)
    for down, right in itertools.product((0, 1), (0, 1)):
        row, column = corner[..., 0] + down, corner[..., 1] + right
        weight = (share[..., 0] if down else 1 - share[..., 0]) * (share[..., 1] if right else 1 - share[..., 1])
        inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        index = first + jnp.clip(row, 0, height - 1) * width + jnp.clip(column, 0, width - 1)
        weight = jnp.where(inside, weight, jnp.zeros_like(weight)).astype(x.dtype)
        total = total + pixels.at[index].get(mode="promise_in_bounds") * weight[..., None]
    return total


def deformable_convolution(
    x: jax.Array,
    offsets: jax.Array,
    kernel: jax.Array,
    mask: jax.Array | None = None,
    strides: Sizes = 1,
    padding: Padding = "SAME",
    dilation: Sizes = 1,
    groups: int = 1,
) -> jax.Array:
    r"""Convolve with taps that are moved by `offsets`, which differ at every position.

    .. math:: y_{n,p,o} = \sum_{t,c} m_{n,p,t}\; x_{n,c}(S p + D t - P + \Delta_{n,p,t})\; k_{t,c,o}

    with :math:`x(\cdot)` read by `bilinear_sample`, zero outside the image.

    Args:
      x: (N, H, W, C_in) images.
      offsets: (N, H', W', 2 · G · taps) in pixels: for each of G sets of channels, for each tap row
        by row, down and right.
      kernel: (kernel_height, kernel_width, C_in / groups, C_out) weights.
      mask: (N, H', W', G · taps) a factor for each sample (the modulated form), or None.
      strides, padding, dilation, groups: those of `convolution`.

    Returns:
      (N, H', W', C_out).

    Raises:
      ValueError: shapes that do not fit.

    Example:
      >>> x, kernel = jnp.ones((1, 8, 8, 4)), jnp.ones((3, 3, 4, 6))
      >>> deformable_convolution(x, jnp.zeros((1, 8, 8, 18)), kernel).shape
      (1, 8, 8, 6)

    References: Dai et al., 2017, arXiv:1703.06211; Zhu et al., 2018, arXiv:1811.11168 (modulated).
    """
    if x.ndim != 4 or kernel.ndim != 4:
        raise ValueError(
            f"images of shape {x.shape} and a kernel of shape {kernel.shape}: "
            "expected (N, H, W, C_in) and (height, width, C_in / groups, C_out)"
        )
    count, channels, kernel_size = x.shape[0], x.shape[-1], kernel.shape[:2]
    strides, pairs, dilation, (height, width) = geometry(x.shape[1:3], kernel_size, strides, padding, dilation)
    taps = kernel_size[0] * kernel_size[1]
    sets = (offsets.shape or (0,))[-1] // (2 * taps)
    if offsets.shape != (count, height, width, 2 * taps * max(sets, 1)) or channels % max(sets, 1):
        raise ValueError(
            f"offsets of shape {offsets.shape}: a {kernel_size[0]}×{kernel_size[1]} kernel with outputs of "
            f"{height}×{width} takes {(count, height, width, 2 * taps)}, two numbers a tap, or a multiple of those "
            f"channels by a divisor of the {channels} input channels"
        )
    if mask is not None and mask.shape != (count, height, width, taps * sets):
        raise ValueError(f"a mask of shape {mask.shape}: expected {(count, height, width, taps * sets)}, one a sample")
    rows, columns = (
        np.arange(n)[:, None] * s + np.arange(k) * d - low
        for n, s, k, d, (low, _) in zip((height, width), strides, kernel_size, dilation, pairs, strict=True)
    )
    grid = np.stack(np.broadcast_arrays(rows[:, None, :, None], columns[None, :, None, :]), axis=-1)
    grid = grid.reshape(1, height, width, 1, taps, 2).astype(offsets.dtype)
    moved = grid + offsets.reshape(count, height, width, sets, taps, 2)
    # One image for each set of channels, so that a set is read in whole rows of the table of pixels.
    images = jnp.moveaxis(x.reshape(*x.shape[:3], sets, -1), 3, 1).reshape(count * sets, *x.shape[1:3], -1)
    positions = jnp.moveaxis(moved, 3, 1).reshape(count * sets, height, width, taps, 2)
    samples = bilinear_sample(images, positions)
    if mask is not None:
        factors = jnp.moveaxis(mask.reshape(count, height, width, sets, taps), 3, 1)
        samples = samples * factors.reshape(*positions.shape[:-1], 1)
    samples = samples.reshape(count, sets, height * width, taps, channels // sets)
    samples = jnp.moveaxis(samples, 1, 3).reshape(count, height * width, taps, channels)
    # What is left is a convolution whose window is the samples: one row of taps a position.
    y = convolution(samples, kernel.reshape(1, taps, *kernel.shape[2:]), padding="VALID", groups=groups)
    return y.reshape(count, height, width, kernel.shape[-1])


class DeformableConv(Weighted):
    """The deformable convolution, with offsets computed from the image by another convolution.

    The offsets start at zero, so the layer starts as the standard convolution of its kernel
    (modulated: half of it).

    Attributes:
      features: output channels.
      kernel_size, strides, padding, dilation, groups, use_bias: those of `Conv`, over images.
      modulated: also weigh each sample by a number in (0, 1) (version 2).
      offset_groups: sets of channels that move by themselves.
      dtype, param_dtype, kernel_init, bias_init: those of `Weighted`.

    Example:
      >>> layer = DeformableConv(16, 3)
      >>> jax.eval_shape(layer.init_with_output, jax.random.key(0), jnp.ones((1, 8, 8, 4)))[0].shape
      (1, 8, 8, 16)

    References: Dai et al., 2017, arXiv:1703.06211; Zhu et al., 2018, arXiv:1811.11168 (modulated).
    """

    features: int
    kernel_size: Sizes
    strides: Sizes = 1
    padding: Padding = "SAME"
    dilation: Sizes = 1
    groups: int = 1
    use_bias: bool = True
    modulated: bool = False
    offset_groups: int = 1

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """(*batch, H, W, C_in) → (*batch, *output sizes, features)."""
        kernel_size = kernel_sizes(x, per_axis(self.kernel_size, 2, "kernel_size"))
        integer("features", self.features)
        check_groups(x.shape[-1], self.features, self.groups)
        if x.shape[-1] % integer("offset_groups", self.offset_groups):
            raise ValueError(f"offset_groups={self.offset_groups} does not divide the {x.shape[-1]} input channels")
        samples = math.prod(kernel_size) * self.offset_groups

        def predict(name: str, channels: int, x: jax.Array) -> jax.Array:
            zeros = nn.initializers.zeros_init()
            return Conv(
                channels,
                kernel_size,
                self.strides,
                self.padding,
                self.dilation,
                kernel_init=zeros,
                dtype=self.dtype,
                param_dtype=self.param_dtype,
                name=name,
            )(x)

        def operation(x: jax.Array, kernel: jax.Array) -> jax.Array:
            offsets = predict("offset", 2 * samples, x)
            mask = nn.sigmoid(predict("mask", samples, x)) if self.modulated else None
            return deformable_convolution(
                x, offsets, kernel, mask, self.strides, self.padding, self.dilation, self.groups
            )

        return self._weigh(
            x,
            (*kernel_size, x.shape[-1] // self.groups, self.features),
            (self.features,) if self.use_bias else None,
            operation,
            2,
        )
