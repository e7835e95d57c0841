"""Convolutions as XLA computes them, which define what every other form computes."""

import dataclasses
import itertools
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

Ints = tuple[int, ...]
Pairs = tuple[tuple[int, int], ...]


@dataclasses.dataclass(frozen=True)
class Settings:
    """Settings of a convolution, validated and explicit.

    Attributes:
      strides, dilation: one integer for each spatial axis.
      padding: one (before, after) pair for each spatial axis, in pixels.
      groups: number of channel groups.
    """

    strides: Ints
    padding: Pairs
    dilation: Ints
    groups: int = 1

    @property
    def padded(self) -> bool:
        """Whether a pixel is added anywhere."""
        return any(map(any, self.padding))

    def sizes(self, images: Ints, kernel_size: Ints) -> Ints:
        """Compute the spatial sizes of the output.

        Args:
          images: spatial sizes of the images.
          kernel_size: that of the kernel.

        Example:
          >>> Settings((2, 2), ((1, 1), (1, 1)), (1, 1)).sizes((8, 7), (3, 3))
          (4, 4)
        """
        return tuple(
            (n + sum(pair) - (k - 1) * d - 1) // s + 1
            for n, k, s, d, pair in zip(images, kernel_size, self.strides, self.dilation, self.padding, strict=True)
        )


def plain(padding: Pairs) -> Settings:
    """Make the settings of a convolution without strides, dilation and groups."""
    ones = (1,) * len(padding)
    return Settings(ones, padding, ones)


def convolve(x: jax.Array, kernel: jax.Array, settings: Settings) -> jax.Array:
    """XLA's own convolution.

    Args:
      x: (N, *spatial, C_in).
      kernel: (*kernel_size, C_in / groups, C_out).
      settings: strides, padding, dilation and groups.

    Returns:
      (N, *output sizes, C_out).
    """
    spatial = "HWDUVXYZ"[: x.ndim - 2]
    return lax.conv_general_dilated(
        x,
        kernel,
        window_strides=settings.strides,
        padding=settings.padding,
        rhs_dilation=settings.dilation,
        dimension_numbers=(f"N{spatial}C", f"{spatial}IO", f"N{spatial}C"),
        feature_group_count=settings.groups,
    )


def convolve_transposed(y: jax.Array, kernel: jax.Array, settings: Settings, sizes: Ints) -> jax.Array:
    """XLA's own convolution over an image with `strides` − 1 zeros between its pixels: the adjoint of `convolve`.

    Args:
      y: (N, *spatial, C_in), shaped as an output of `convolve`.
      kernel: (*kernel_size, features / groups, C_in), that of `convolve`.
      settings: that of `convolve`.
      sizes: the spatial sizes that `convolve` would take.

    Returns:
      (N, *sizes, features).
    """
    pairs = []
    for n, k, s, d, (low, _), size in zip(
        y.shape[1:-1], kernel.shape[:-2], settings.strides, settings.dilation, settings.padding, sizes, strict=True
    ):
        before = (k - 1) * d - low
        pairs.append((before, size + (k - 1) * d - before - (n - 1) * s - 1))
    spatial = "HWDUVXYZ"[: y.ndim - 2]
    return lax.conv_general_dilated(
        y,
        adjoint_kernel(kernel, settings.groups),
        window_strides=(1,) * len(sizes),
        padding=pairs,
        lhs_dilation=settings.strides,
        rhs_dilation=settings.dilation,
        dimension_numbers=(f"N{spatial}C", f"{spatial}IO", f"N{spatial}C"),
        feature_group_count=settings.groups,
    )


def adjoint_kernel(kernel: jax.Array, groups: int) -> jax.Array:
    """The kernel of the adjoint: taps reversed, inputs and outputs of each group exchanged."""
    *kernel_size, inputs, outputs = kernel.shape
    kernel = jnp.flip(kernel, range(len(kernel_size))).reshape(*kernel_size, inputs, groups, outputs // groups)
    return jnp.swapaxes(kernel, -1, -3).reshape(*kernel_size, outputs // groups, inputs * groups)


def windows(x: jax.Array, kernel_size: Ints, strides: Ints, padding: Pairs, dilation: Ints) -> Iterator[jax.Array]:
    """Iterate over the taps of a kernel in row-major order, with the pixels that each reads: (N, *output sizes, C)."""
    x = jnp.pad(x, ((0, 0), *padding, (0, 0)))
    sizes = [
        (size - (k - 1) * d - 1) // s + 1
        for size, k, s, d in zip(x.shape[1:-1], kernel_size, strides, dilation, strict=True)
    ]
    for tap in itertools.product(*map(range, kernel_size)):
        start = [t * d for t, d in zip(tap, dilation, strict=True)]
        limit = [a + (n - 1) * s + 1 for a, n, s in zip(start, sizes, strides, strict=True)]
        yield lax.slice(x, (0, *start, 0), (x.shape[0], *limit, x.shape[-1]), (1, *strides, 1))


def accumulator(dtype: np.dtype) -> np.dtype:
    """The type in which numbers of a type are added up: at least single precision, as XLA does."""
    return dtype if dtype.itemsize >= 4 else np.dtype(np.float32)
