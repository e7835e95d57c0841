"""The depthwise convolution, one input channel in each group: sums of shifted images.

The native form takes 14 to 30 times as long forward, 13 to 37 times with both gradients.
"""

import functools
import itertools
import math

import jax
import jax.numpy as jnp
from jax import lax

from zoo.layers.native import Ints, Settings, accumulator, windows

MOST_TAPS = 81  # up to 11×11 the sum takes 1/30 of the native time; 15×15 taps 1/2, and 2 to 12 s to compile
MOST_UNROLLED = 9  # a 7×7 kernel gradient compiles in 0.7 s row by row, in 4.7 s unrolled, and runs as fast
PLANES = 8  # of the batch, added up in one elementwise pass: 2 to 16 are equal, with 1 it takes three times as long


def applies(images: Ints, kernel: Ints, settings: Settings) -> bool:
    """Whether a kernel of this shape is depthwise and of moderate size."""
    return settings.groups > 1 and kernel[-2] == 1 and math.prod(kernel[:-2]) <= MOST_TAPS


def form(x: jax.Array, kernel: jax.Array, settings: Settings) -> jax.Array:
    """Compute the convolution as a sum of shifted images, each times one tap of the kernel."""
    wide = accumulator(x.dtype)
    pixels = windows(
        _repeat(x, kernel.shape).astype(wide),
        kernel.shape[:-2],
        settings.strides,
        settings.padding,
        settings.dilation,
    )
    taps = kernel.astype(wide).reshape(-1, *(1,) * (x.ndim - 1), kernel.shape[-1])
    return functools.reduce(jnp.add, (window * tap for window, tap in zip(pixels, taps, strict=True))).astype(x.dtype)


def gradients(x: jax.Array, kernel: jax.Array, cotangent: jax.Array, settings: Settings) -> tuple[jax.Array, jax.Array]:
    """Compute the gradients in the images and in the kernel from the gradient in the output."""
    in_x = transposed_form(cotangent, kernel, settings, x.shape[1:-1])
    multiplier = kernel.shape[-1] // x.shape[-1]
    if multiplier > 1:
        in_x = in_x.reshape(*x.shape, multiplier).sum(-1)
    return in_x, _kernel_gradient(x, cotangent, kernel.shape, settings).astype(kernel.dtype)


def _kernel_gradient(x: jax.Array, cotangent: jax.Array, kernel: Ints, settings: Settings) -> jax.Array:
    """For each tap of a kernel of shape `kernel`, the sum of pixels times output gradients.

    XLA reduces slowly what it has fused with a product. So planes of the batch are added up in one
    elementwise pass, and the rest by a product with ones, which is not fused.
    """
    wide = accumulator(x.dtype)
    x, cotangent, kernel_size = _repeat(x, kernel).astype(wide), cotangent.astype(wide), kernel[:-2]
    rows = math.prod(cotangent.shape[:2])
    planes = max(p for p in range(1, PLANES + 1) if rows % p == 0)

    def split(z: jax.Array) -> jax.Array:
        return z.reshape(planes, rows // planes, *z.shape[2:])

    parts = split(cotangent)

    def total(window: jax.Array) -> jax.Array:
        pixels = split(window)
        products = functools.reduce(jnp.add, (pixels[plane] * parts[plane] for plane in range(planes)))
        products = products.reshape(-1, x.shape[-1])
        return jnp.matmul(jnp.ones((1, products.shape[0]), products.dtype), products, precision="highest")[0]

    padded = jnp.pad(x, ((0, 0), *settings.padding, (0, 0)))
    none = ((0, 0),) * len(kernel_size)
    if math.prod(kernel_size) <= MOST_UNROLLED:
        taps = windows(padded, kernel_size, settings.strides, none, settings.dilation)
        return jnp.stack([total(window) for window in taps]).reshape(kernel)

    def row(tap: jax.Array) -> jax.Array:
        """All taps of one row of the kernel."""
        rows = tap * settings.dilation[0] + settings.strides[0] * jnp.arange(cotangent.shape[1])
        # Gathered, since XLA fuses a slice that moves into the products, which are then up to three times slower.
        band = jnp.take(padded, rows, axis=1, mode="clip")
        taps = windows(band, (1, *kernel_size[1:]), (1, *settings.strides[1:]), none, settings.dilation)
        return jnp.stack([total(window) for window in taps])

    return lax.map(row, jnp.arange(kernel_size[0])).reshape(kernel)


def transposed_applies(kernel: Ints, settings: Settings) -> bool:
    """Whether a transposed convolution with a kernel of this shape is depthwise and of moderate size."""
    return settings.groups == kernel[-1] and applies((), kernel, settings)


def transposed_form(y: jax.Array, kernel: jax.Array, settings: Settings, sizes: Ints) -> jax.Array:
    """Compute the adjoint phase by phase: pixels q with equal q mod S see equal taps."""
    strides = settings.strides
    dtype, wide = y.dtype, accumulator(y.dtype)
    y, kernel = y.astype(wide), kernel.astype(wide)
    counts = [-(-size // s) for size, s in zip(sizes, strides, strict=True)]
    taps = list(itertools.product(*map(range, kernel.shape[:-2])))

    def sources(tap: Ints, phase: Ints) -> list[int] | None:
        """Place in y that a tap reads for the first pixel of a phase; None: it never falls on one."""
        places = [
            q + low - t * d for q, (low, _), t, d in zip(phase, settings.padding, tap, settings.dilation, strict=True)
        ]
        aligned = all(place % s == 0 for place, s in zip(places, strides, strict=True))
        return [place // s for place, s in zip(places, strides, strict=True)] if aligned else None

    phases = list(itertools.product(*map(range, strides)))
    reads = {(phase, tap): where for phase in phases for tap in taps if (where := sources(tap, phase)) is not None}
    margins = [
        (max(0, *(-at for at in axis)), max(0, *(at + count - n for at in axis)))
        for axis, count, n in zip(zip(*reads.values(), strict=True), counts, y.shape[1:-1], strict=True)
    ]
    padded = jnp.pad(y, ((0, 0), *margins, (0, 0)))
    nothing = jnp.zeros((y.shape[0], *counts, y.shape[-1]), y.dtype)

    def paint(phase: Ints) -> jax.Array:
        total = nothing
        for tap in taps:
            if (phase, tap) in reads:
                start = [at + low for at, (low, _) in zip(reads[phase, tap], margins, strict=True)]
                limit = [a + count for a, count in zip(start, counts, strict=True)]
                window = lax.slice(padded, (0, *start, 0), (y.shape[0], *limit, y.shape[-1]))
                total = total + window * kernel[tap].reshape((1,) * (y.ndim - 1) + (-1,))
        return total

    def weave(phase: Ints) -> jax.Array:
        axis = len(phase)
        if axis == len(strides):
            return paint(phase)
        x = jnp.stack([weave((*phase, q)) for q in range(strides[axis])], axis + 2)
        return x.reshape(*x.shape[: axis + 1], -1, *x.shape[axis + 3 :])

    return weave(())[(slice(None), *(slice(size) for size in sizes))].astype(dtype)


def _repeat(x: jax.Array, kernel: Ints) -> jax.Array:
    """Every channel once for each of its outputs."""
    multiplier = kernel[-1] // x.shape[-1]
    return jnp.repeat(x, multiplier, axis=-1) if multiplier > 1 else x
