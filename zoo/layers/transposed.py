"""The transposed convolution, the adjoint of the standard one, and an alternative without checkerboards."""

import dataclasses
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from convzoo.checks import integer
from zoo.layers.arithmetic import Padding, Sizes, extent, padding_pairs, per_axis
from zoo.layers.convolutions import Conv, Weighted, check_groups, kernel_sizes
from zoo.layers.cpu import dispatch
from zoo.layers.native import Settings


def transposed_convolution(
    y: jax.Array,
    kernel: jax.Array,
    strides: Sizes = 1,
    padding: Padding = "SAME",
    dilation: Sizes = 1,
    groups: int = 1,
    sizes: Sizes | None = None,
) -> jax.Array:
    r"""Apply the adjoint of `convolution` with the same kernel and settings.

    .. math:: \langle C x, y \rangle = \langle x, C^{\mathsf T} y \rangle, \qquad
       (C^{\mathsf T} y)_{n,q,c} = \sum_{p,t,o \,:\, S p + D t - P = q} y_{n,p,o}\; k_{t,c,o}

    Args:
      y: (N, *spatial, C_in), what the convolution C would give.
      kernel: (*kernel_size, features / groups, C_in), the kernel of C: it maps `features` channels to C_in.
      strides: step S of C; the image grows by it.
      padding: of C: `"SAME"` gives n · S pixels, an integer p or pairs (n − 1) · S + extent − 2p.
      dilation: spacing D of the kernel's taps.
      groups: groups of channels that do not see each other.
      sizes: spatial sizes of the result, where C maps several sizes to that of `y`; by default the smallest.

    Returns:
      (N, *sizes, features).

    Raises:
      ValueError: shapes that do not fit, padding that leaves nothing, or sizes that C does not map to those of `y`.

    Example:
      >>> transposed_convolution(jnp.ones((1, 4, 4, 3)), jnp.ones((4, 4, 8, 3)), strides=2, padding=1).shape
      (1, 8, 8, 8)

    Reference: Dumoulin & Visin, 2016, arXiv:1603.07285.
    """
    if y.ndim < 3 or kernel.ndim != y.ndim or kernel.shape[-1] != y.shape[-1]:
        raise ValueError(
            f"maps of shape {y.shape} and a kernel of shape {kernel.shape}: "
            "expected (N, *spatial, C_in) and (*kernel_size, features / groups, C_in)"
        )
    rank = y.ndim - 2
    check_groups(y.shape[-1], kernel.shape[-2] * groups, groups)
    strides = per_axis(strides, rank, "strides")
    dilation = per_axis(dilation, rank, "dilation")
    spans = [extent(k, d) for k, d in zip(kernel.shape[:-2], dilation, strict=True)]
    counts = y.shape[1:-1]
    same = isinstance(padding, str) and padding.upper() == "SAME"
    outputs = (
        tuple(n * s for n, s in zip(counts, strides, strict=True)) if sizes is None else per_axis(sizes, rank, "sizes")
    )
    pairs = padding_pairs(padding, outputs, kernel.shape[:-2], strides, dilation)
    if sizes is None and not same:
        outputs = tuple(
            (n - 1) * s + span - sum(pair) for n, s, span, pair in zip(counts, strides, spans, pairs, strict=True)
        )
    for axis, (n, s, span, pair, size) in enumerate(zip(counts, strides, spans, pairs, outputs, strict=True)):
        if size < 1:
            raise ValueError(
                f"padding {pair} takes away all {(n - 1) * s + span} pixels of spatial axis {axis}: "
                f"use at most {(n - 1) * s + span - 1} in all"
            )
        if (size + sum(pair) - span) // s + 1 != n:
            least = (n - 1) * s + span - sum(pair)
            raise ValueError(
                f"sizes={outputs}: a convolution with span {span}, stride {s} and padding {pair} does not map {size} "
                f"pixels to the {n} of spatial axis {axis}: give {least} to {least + s - 1}"
            )
    return dispatch.convolve_transposed(y, kernel, Settings(strides, pairs, dilation, groups), outputs)


class TransposedConv(Weighted):
    """The transposed convolution: upsampling with learned weights.

    Where the stride does not divide the kernel size, outputs are painted over by unequal
    numbers of inputs, and `checkerboard` patterns follow; `ResizeConv` has none.

    Attributes:
      features: output channels.
      kernel_size: one integer for a square kernel over images, or one a spatial axis.
      strides: how many times larger the output is.
      padding: that of the convolution which this is the adjoint of: `"SAME"` (default) gives n · strides
        pixels, an integer p gives (n − 1) · strides + extent − 2p, `"VALID"` is p = 0.
      dilation: spacing of the kernel's taps.
      groups: groups of channels that do not see each other.
      use_bias: add one learned number to each output channel.
      dtype, param_dtype, kernel_init, bias_init: those of `Weighted`; the kernel is
        (*kernel_size, features / groups, C_in), that of the convolution which this is the adjoint of.

    Example:
      >>> layer = TransposedConv(16, 4, strides=2)
      >>> jax.eval_shape(layer.init_with_output, jax.random.key(0), jnp.ones((1, 8, 8, 3)))[0].shape
      (1, 16, 16, 16)

    Reference: Dumoulin & Visin, 2016, arXiv:1603.07285.
    """

    features: int  # type: ignore[misc]  # mypy takes the keyword-only field below for a positional one
    kernel_size: Sizes  # type: ignore[misc]
    strides: Sizes = 1
    padding: Padding = "SAME"
    dilation: Sizes = 1
    groups: int = 1
    use_bias: bool = True
    kernel_init: nn.initializers.Initializer = dataclasses.field(
        default=nn.initializers.lecun_normal(in_axis=-1, out_axis=-2), kw_only=True
    )

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """(*batch, *spatial, C_in) → (*batch, *output sizes, features)."""
        kernel_size = kernel_sizes(x, self.kernel_size)
        integer("features", self.features)
        check_groups(x.shape[-1], self.features, self.groups)
        return self._weigh(
            x,
            (*kernel_size, self.features // self.groups, x.shape[-1]),
            (self.features,) if self.use_bias else None,
            lambda x, kernel: transposed_convolution(x, kernel, self.strides, self.padding, self.dilation, self.groups),
            len(kernel_size),
        )


class ResizeConv(nn.Module):
    """Resize by interpolation, then convolve: upsampling that leaves no checkerboard.

    Attributes:
      features: output channels.
      kernel_size: of the convolution after the resizing.
      strides: how many times larger the output is.
      method: `"nearest"` or `"bilinear"`.
      use_bias: add one learned number to each output channel.
      dtype: type of the computation.

    Example:
      >>> layer = ResizeConv(16, 3, strides=2)
      >>> jax.eval_shape(layer.init_with_output, jax.random.key(0), jnp.ones((1, 8, 8, 3)))[0].shape
      (1, 16, 16, 16)

    Reference: Odena, Dumoulin & Olah, 2016, doi:10.23915/distill.00003.
    """

    features: int
    kernel_size: Sizes
    strides: Sizes = 2
    method: Literal["nearest", "bilinear"] = "nearest"
    use_bias: bool = True
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """(*batch, *spatial, C_in) → (*batch, *(spatial · strides), features)."""
        rank = len(kernel_sizes(x, self.kernel_size))
        if self.method not in ("nearest", "bilinear"):
            raise ValueError(f"method={self.method!r} is unknown: give 'nearest' or 'bilinear'")
        scale = (1,) * (x.ndim - rank - 1) + per_axis(self.strides, rank, "strides") + (1,)
        x = jax.image.resize(x, tuple(n * s for n, s in zip(x.shape, scale, strict=True)), self.method)
        return Conv(self.features, self.kernel_size, use_bias=self.use_bias, dtype=self.dtype, name="conv")(x)


def checkerboard(x: jax.Array, period: int = 2) -> jax.Array:
    r"""Measure the share of an image's variance that is a pattern repeated every `period` pixels.

    Pixels are sorted by their phase (row and column modulo the period); the measure is the
    variance of the phases' means over the variance of all pixels (the correlation ratio η²).

    Args:
      x: (..., H, W, C), H and W at least `period`; what the period does not divide is left out.
      period: of the pattern in pixels, the stride of the layer under suspicion.

    Returns:
      (..., C) in [0, 1]; 0 for no such pattern, or a constant image; 1 for nothing else. Noise
      alone gives about period² / (H · W).

    Raises:
      ValueError: an image smaller than the period, or a period below 2.

    Example:
      >>> float(checkerboard(jnp.tile(jnp.eye(2), (2, 2))[..., None])[0])
      1.0
    """
    integer("period", period, 2)
    if x.ndim < 3 or min(x.shape[-3:-1]) < period:
        raise ValueError(f"an input of shape {x.shape}: expected (..., H, W, C) of at least {period} pixels")
    *batch, height, width, channels = x.shape
    rows, columns = height // period, width // period
    x = x[..., : rows * period, : columns * period, :]
    phases = x.reshape(*batch, rows, period, columns, period, channels).mean(axis=(-5, -3))
    total = x.var(axis=(-3, -2))
    between = phases.var(axis=(-3, -2))
    return jnp.where(total > 0, between / jnp.where(total > 0, total, jnp.ones_like(total)), jnp.zeros_like(total))
