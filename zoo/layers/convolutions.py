"""The standard convolution, and what other convolutions share with it."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from convzoo.checks import integer
from zoo.layers.arithmetic import Padding, Sizes, extent, padding_pairs, per_axis
from zoo.layers.cpu import dispatch
from zoo.layers.native import Settings


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
    check_groups(x.shape[-1], kernel.shape[-1], groups)
    if kernel.shape[-2] * groups != x.shape[-1]:
        raise ValueError(
            f"a kernel of shape {kernel.shape} in {groups} group(s) takes {kernel.shape[-2] * groups} input channels, "
            f"but the images have {x.shape[-1]}"
        )
    strides, pairs, dilation, _ = geometry(x.shape[1:-1], kernel.shape[:-2], strides, padding, dilation)
    if x.dtype != kernel.dtype:
        with jax.numpy_dtype_promotion("standard"):
            dtype = jax.dtypes.canonicalize_dtype(jnp.promote_types(x.dtype, kernel.dtype))
        x, kernel = jnp.asarray(x, dtype), jnp.asarray(kernel, dtype)
    return dispatch.convolve(x, kernel, Settings(strides, pairs, dilation, groups))


class Geometry(NamedTuple):
    """The positions of a kernel: one entry for each spatial axis."""

    strides: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]
    sizes: tuple[int, ...]
    """Output sizes."""


def geometry(
    sizes: Sequence[int], kernel_size: Sequence[int], strides: Sizes, padding: Padding, dilation: Sizes
) -> Geometry:
    """Strides, padding and dilation of every axis, checked against the image, and the output's sizes.

    Raises:
      ValueError: wrong numbers of entries, or a kernel that spans more than the padded input.

    Example:
      >>> geometry((224, 224), (3, 3), 2, "SAME", 1).sizes
      (112, 112)
    """
    rank = len(sizes)
    steps, taps = per_axis(strides, rank, "strides"), per_axis(dilation, rank, "dilation")
    pairs = padding_pairs(padding, sizes, kernel_size, steps, taps)
    outputs = []
    for axis, (size, k, s, d, pair) in enumerate(zip(sizes, kernel_size, steps, taps, pairs, strict=True)):
        spare = size + sum(pair) - extent(k, d)
        if spare < 0:
            raise ValueError(
                f"a kernel of {k} at dilation {d} spans {extent(k, d)} pixels, but spatial axis {axis} has {size} and "
                f"padding {pair}: use padding='SAME', a smaller kernel or a larger input"
            )
        outputs.append(spare // s + 1)
    return Geometry(steps, pairs, taps, tuple(outputs))


def check_groups(inputs: int, outputs: int, groups: int) -> None:
    """Refuse a number of groups that does not divide both channel counts."""
    integer("groups", groups)
    if inputs % groups or outputs % groups:
        common = math.gcd(inputs, outputs)
        fits = [g for g in range(1, common + 1) if common % g == 0]
        nearest = min(fits, key=lambda g: (abs(g - groups), g))
        raise ValueError(
            f"groups={groups} does not divide {inputs} input and {outputs} output channels: "
            f"the nearest that does is {nearest}"
        )


class Weighted(nn.Module, kw_only=True):
    """The base of layers with a kernel: type, initializers, bias and batch axes.

    Attributes:
      dtype: type of the computation; by default that of the images and parameters.
      param_dtype: type in which the parameters are kept.
      kernel_init, bias_init: initializers.
    """

    dtype: Any = None
    param_dtype: Any = jnp.float32
    kernel_init: nn.initializers.Initializer = nn.initializers.lecun_normal()
    bias_init: nn.initializers.Initializer = nn.initializers.zeros_init()

    def _weigh(
        self,
        x: jax.Array,
        kernel_shape: tuple[int, ...],
        bias_shape: tuple[int, ...] | None,
        operation: Callable[[jax.Array, jax.Array], jax.Array],
        rank: int,
    ) -> jax.Array:
        """Apply `operation(x, kernel)` over any number of batch axes, and add a bias if it has a shape."""
        kernel = self.param("kernel", self.kernel_init, kernel_shape, self.param_dtype)
        bias = None if bias_shape is None else self.param("bias", self.bias_init, bias_shape, self.param_dtype)
        x, kernel, bias = nn.dtypes.promote_dtype(x, kernel, bias, dtype=self.dtype)
        y = operation(x.reshape(-1, *x.shape[-rank - 1 :]), kernel)
        if bias is not None:
            y = y + bias.reshape((1,) * (y.ndim - bias.ndim) + bias.shape)
        return y.reshape(*x.shape[: -rank - 1], *y.shape[1:])


def kernel_sizes(x: jax.Array, kernel_size: Sizes) -> tuple[int, ...]:
    """The kernel's size along every spatial axis; one integer means a square over images.

    Raises:
      ValueError: a non-positive size, or an input with too few axes for it, or without pixels or channels.
    """
    sizes = per_axis(kernel_size, None, "kernel_size")
    if x.ndim < len(sizes) + 1:
        raise ValueError(
            f"an input of shape {x.shape} has too few axes for a kernel of {sizes}: "
            "expected (*batch, *spatial, channels)"
        )
    if 0 in x.shape[-len(sizes) - 1 :]:
        raise ValueError(f"an input of shape {x.shape} is empty: only batch axes may be of size 0")
    return sizes


class Conv(Weighted):
    """The standard convolution, grouped, strided and dilated; same variables as `flax.linen.Conv`.

    Attributes:
      features: output channels.
      kernel_size: one integer for a square kernel over images, or one a spatial axis.
      strides: step between outputs.
      padding: `"SAME"` (default), `"VALID"`, an integer, or pairs (`zoo.layers.convolution`).
      dilation: spacing of the kernel's taps.
      groups: groups of channels that do not see each other; equal to the input channels: depthwise.
      use_bias: add one learned number to each output channel.
      dtype, param_dtype, kernel_init, bias_init: those of `Weighted`.

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

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Convolve.

        Args:
          x: (*batch, *spatial, C_in), with any number of batch axes.

        Returns:
          (*batch, *output sizes, features).
        """
        kernel_size = kernel_sizes(x, self.kernel_size)
        integer("features", self.features)
        check_groups(x.shape[-1], self.features, self.groups)
        return self._weigh(
            x,
            (*kernel_size, x.shape[-1] // self.groups, self.features),
            (self.features,) if self.use_bias else None,
            lambda x, kernel: convolution(x, kernel, self.strides, self.padding, self.dilation, self.groups),
            len(kernel_size),
        )


class PointwiseConv(Weighted):
    """The 1×1 convolution: one dense layer, applied at every position.

    It mixes channels and sees no neighbours, so it makes channels fewer or more.

    Attributes:
      features: output channels.
      strides: step between the positions kept.
      groups: groups of channels that do not see each other.
      use_bias: add one learned number to each output channel.
      dtype, param_dtype, kernel_init, bias_init: those of `Weighted`.

    Example:
      >>> layer = PointwiseConv(16)
      >>> jax.eval_shape(layer.init_with_output, jax.random.key(0), jnp.ones((1, 8, 8, 3)))[0].shape
      (1, 8, 8, 16)

    Reference: Lin, Chen & Yan, 2013, arXiv:1312.4400.
    """

    features: int
    strides: Sizes = 1
    groups: int = 1
    use_bias: bool = True

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """(*batch, H, W, C_in) → (*batch, ceil(H / strides), ceil(W / strides), features)."""
        kernel_size = kernel_sizes(x, 1)
        integer("features", self.features)
        check_groups(x.shape[-1], self.features, self.groups)
        return self._weigh(
            x,
            (*kernel_size, x.shape[-1] // self.groups, self.features),
            (self.features,) if self.use_bias else None,
            lambda x, kernel: convolution(x, kernel, self.strides, groups=self.groups),
            len(kernel_size),
        )


def channel_shuffle(x: jax.Array, groups: int) -> jax.Array:
    """Spread the channels of each group over all groups, so that the next grouped convolution mixes them.

    Channel c of group g moves to position c · groups + g.

    Args:
      x: (..., C).
      groups: must divide C.

    Returns:
      (..., C).

    Raises:
      ValueError: groups that do not divide the channels.

    Example:
      >>> channel_shuffle(jnp.arange(6), 2).tolist()
      [0, 3, 1, 4, 2, 5]

    Reference: Zhang et al., 2017, arXiv:1707.01083.
    """
    channels = x.shape[-1]
    check_groups(channels, channels, groups)
    return x.reshape(*x.shape[:-1], groups, channels // groups).swapaxes(-1, -2).reshape(x.shape)


def dense_kernel_to_conv(kernel: jax.Array, spatial_shape: Sizes) -> jax.Array:
    """Convert the kernel of a dense layer over a flattened map to that of an equivalent convolution.

    On a map of exactly `spatial_shape` the convolution (`"VALID"`) gives one output, the dense
    layer's; on a larger one it gives the dense layer's answer at every position.

    Args:
      kernel: (prod(spatial_shape) · C, features), for maps flattened row by row, channels last.
      spatial_shape: (H, W) of the map; an integer for a square one.

    Returns:
      (*spatial_shape, C, features): the same numbers, reshaped.

    Raises:
      ValueError: a kernel that is not a matrix, or rows that the positions do not divide.

    Example:
      >>> dense_kernel_to_conv(jnp.ones((7 * 7 * 512, 10)), 7).shape
      (7, 7, 512, 10)

    Reference: Long, Shelhamer & Darrell, 2014, arXiv:1411.4038.
    """
    sizes = per_axis(spatial_shape, None, "spatial_shape")
    if kernel.ndim != 2 or kernel.shape[0] % math.prod(sizes):
        raise ValueError(
            f"a dense kernel of shape {kernel.shape} for a map of {sizes}: "
            f"expected ({math.prod(sizes)} · channels, features)"
        )
    return kernel.reshape(*sizes, -1, kernel.shape[1])


def dense_over(x: jax.Array, features: int, window: Sizes, name: str, dtype: Any = None) -> jax.Array:
    """A dense layer named `name` in the module that calls this; on maps, the convolution that does the same.

    Args:
      x: (N, C) flattened features, or (N, H, W, C) maps.
      features: of the output.
      window: size of the maps that the dense layer was made for.
      name: of the layer; its variables are `kernel` and `bias`, related by `dense_kernel_to_conv`.
      dtype: type of the computation.

    Returns:
      (N, features), or (N, H − window + 1, W − window + 1, features).
    """
    if x.ndim == 2:
        return nn.Dense(features, dtype=dtype, name=name)(x)
    return Conv(features, window, padding="VALID", dtype=dtype, name=name)(x)
