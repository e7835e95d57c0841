"""How a convolution is computed on each platform; what it computes is the same everywhere.

XLA's native convolution is right on GPU and TPU. On CPU some cases of it are slow by
large factors, so there each case below has a form of its own. The choice is made
here and nowhere else, from shapes alone, when the program is lowered: a compiled
program holds one form only, and `jax.export` for several platforms holds each.

| case on CPU | form | why |
|---|---|---|
| depthwise (one input channel a group) | sum of shifted multiply-adds | native runs one group at a time |
| everything else | native | already at the machine's matrix-product rate |
"""

import itertools
from collections.abc import Iterator

import jax
import jax.numpy as jnp
from jax import lax

Pairs = tuple[tuple[int, int], ...]
Ints = tuple[int, ...]


def convolve(x: jax.Array, kernel: jax.Array, strides: Ints, padding: Pairs, dilation: Ints, groups: int) -> jax.Array:
    """Convolve with validated, explicit arguments, in the form that suits the platform.

    Args:
      x: (N, *spatial, C_in).
      kernel: (*kernel_size, C_in / groups, C_out).
      strides, dilation: one integer a spatial axis.
      padding: one (before, after) pair a spatial axis.
      groups: number of channel groups.

    Returns:
      (N, *output sizes, C_out).
    """
    settings = (strides, padding, dilation, groups)
    if groups > 1 and kernel.shape[-2] == 1:
        return lax.platform_dependent(
            x,
            kernel,
            cpu=lambda x, kernel: shifted_form(x, kernel, *settings),
            default=lambda x, kernel: native_form(x, kernel, *settings),
        )
    return native_form(x, kernel, *settings)


def native_form(
    x: jax.Array, kernel: jax.Array, strides: Ints, padding: Pairs, dilation: Ints, groups: int
) -> jax.Array:
    """XLA's own convolution."""
    spatial = "HWDUVXYZ"[: x.ndim - 2]
    return lax.conv_general_dilated(
        x,
        kernel,
        window_strides=strides,
        padding=padding,
        rhs_dilation=dilation,
        dimension_numbers=(f"N{spatial}C", f"{spatial}IO", f"N{spatial}C"),
        feature_group_count=groups,
    )


def shifted_form(
    x: jax.Array, kernel: jax.Array, strides: Ints, padding: Pairs, dilation: Ints, groups: int
) -> jax.Array:
    """Depthwise convolution as a sum of shifted images, each times one tap of the kernel."""
    multiplier = kernel.shape[-1] // groups
    if multiplier > 1:
        x = jnp.repeat(x, multiplier, axis=-1)
    taps = kernel.reshape(-1, *(1,) * (x.ndim - 1), kernel.shape[-1])
    seen = windows(x, kernel.shape[:-2], strides, padding, dilation)
    return sum(window * tap for window, tap in zip(seen, taps, strict=True))


def windows(x: jax.Array, kernel_size: Ints, strides: Ints, padding: Pairs, dilation: Ints) -> Iterator[jax.Array]:
    """What each tap of a kernel sees, tap by tap in row-major order: (N, *output sizes, C) each."""
    x = jnp.pad(x, ((0, 0), *padding, (0, 0)))
    sizes = [
        (size - (k - 1) * d - 1) // s + 1
        for size, k, s, d in zip(x.shape[1:-1], kernel_size, strides, dilation, strict=True)
    ]
    for tap in itertools.product(*map(range, kernel_size)):
        start = [t * d for t, d in zip(tap, dilation, strict=True)]
        limit = [a + (n - 1) * s + 1 for a, n, s in zip(start, sizes, strides, strict=True)]
        yield lax.slice(x, (0, *start, 0), (x.shape[0], *limit, x.shape[-1]), (1, *strides, 1))


def convolve_transposed(
    y: jax.Array, kernel: jax.Array, strides: Ints, padding: Pairs, dilation: Ints, groups: int, sizes: Ints
) -> jax.Array:
    """The adjoint of `convolve` with the same kernel and settings, in the form that suits the platform.

    Args:
      y: (N, *spatial, C_in), what `convolve` would give.
      kernel: (*kernel_size, features / groups, C_in), that of `convolve`.
      strides, padding, dilation, groups: those of `convolve`.
      sizes: the spatial sizes that `convolve` would take.

    Returns:
      (N, *sizes, features).
    """
    return native_transposed(y, kernel, strides, padding, dilation, groups, sizes)


def flip(kernel: jax.Array, groups: int) -> jax.Array:
    """The kernel of the adjoint: taps reversed, inputs and outputs of each group exchanged."""
    *kernel_size, inputs, outputs = kernel.shape
    kernel = jnp.flip(kernel, range(len(kernel_size))).reshape(*kernel_size, inputs, groups, outputs // groups)
    return jnp.swapaxes(kernel, -1, -3).reshape(*kernel_size, outputs // groups, inputs * groups)


def native_transposed(
    y: jax.Array, kernel: jax.Array, strides: Ints, padding: Pairs, dilation: Ints, groups: int, sizes: Ints
) -> jax.Array:
    """XLA's own convolution over an image with `strides` − 1 zeros between its pixels."""
    pairs = []
    for n, k, s, d, (low, _), size in zip(
        y.shape[1:-1], kernel.shape[:-2], strides, dilation, padding, sizes, strict=True
    ):
        before = (k - 1) * d - low
        pairs.append((before, size + (k - 1) * d - before - (n - 1) * s - 1))
    spatial = "HWDUVXYZ"[: y.ndim - 2]
    return lax.conv_general_dilated(
        y,
        flip(kernel, groups),
        window_strides=(1,) * len(strides),
        padding=pairs,
        lhs_dilation=strides,
        rhs_dilation=dilation,
        dimension_numbers=(f"N{spatial}C", f"{spatial}IO", f"N{spatial}C"),
        feature_group_count=groups,
    )
