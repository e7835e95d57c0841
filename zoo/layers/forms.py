"""The same convolutions, written for a CPU: sums of shifted images, matrix products, smaller convolutions.

Nothing here decides anything; `zoo.layers.lowering` does, and says why. All forms take validated,
explicit arguments, and agree with XLA's native form to rounding.
"""

import functools
import itertools
import math
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

Pairs = tuple[tuple[int, int], ...]
Ints = tuple[int, ...]


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
        adjoint_kernel(kernel, groups),
        window_strides=(1,) * len(strides),
        padding=pairs,
        lhs_dilation=strides,
        rhs_dilation=dilation,
        dimension_numbers=(f"N{spatial}C", f"{spatial}IO", f"N{spatial}C"),
        feature_group_count=groups,
    )


def adjoint_kernel(kernel: jax.Array, groups: int) -> jax.Array:
    """The kernel of the adjoint: taps reversed, inputs and outputs of each group exchanged."""
    *kernel_size, inputs, outputs = kernel.shape
    kernel = jnp.flip(kernel, range(len(kernel_size))).reshape(*kernel_size, inputs, groups, outputs // groups)
    return jnp.swapaxes(kernel, -1, -3).reshape(*kernel_size, outputs // groups, inputs * groups)


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


def _wide(dtype: np.dtype) -> np.dtype:
    """The type in which to add up numbers of a type: at least single precision, as the native form does."""
    return dtype if dtype.itemsize >= 4 else np.dtype(np.float32)


def matmul_form(x: jax.Array, kernel: jax.Array, strides: Ints) -> jax.Array:
    """A 1×1 convolution without padding as one matrix product over all positions."""
    inputs, outputs = kernel.shape[-2:]
    x = x[(slice(None), *(slice(None, None, s) for s in strides))]
    y = jnp.matmul(x.reshape(-1, inputs), kernel.reshape(inputs, outputs), preferred_element_type=_wide(x.dtype))
    return y.astype(x.dtype).reshape(*x.shape[:-1], outputs)


def depthwise_form(x: jax.Array, kernel: jax.Array, strides: Ints, padding: Pairs, dilation: Ints) -> jax.Array:
    """One input channel a group: a sum of shifted images, each times one tap of the kernel."""
    wide = _wide(x.dtype)
    seen = windows(_repeat(x, kernel).astype(wide), kernel.shape[:-2], strides, padding, dilation)
    taps = kernel.astype(wide).reshape(-1, *(1,) * (x.ndim - 1), kernel.shape[-1])
    return functools.reduce(jnp.add, (window * tap for window, tap in zip(seen, taps, strict=True))).astype(x.dtype)


def depthwise_gradients(
    x: jax.Array, kernel: jax.Array, cotangent: jax.Array, strides: Ints, padding: Pairs, dilation: Ints
) -> tuple[jax.Array, jax.Array]:
    """Gradients of `depthwise_form` in the images and the kernel."""
    in_x = depthwise_transposed(cotangent, kernel, strides, padding, dilation, x.shape[1:-1])
    multiplier = kernel.shape[-1] // x.shape[-1]
    if multiplier > 1:
        in_x = in_x.reshape(*x.shape, multiplier).sum(-1)
    wide = _wide(x.dtype)
    repeated, cotangent = _repeat(x, kernel).astype(wide), cotangent.astype(wide)
    in_kernel = _depthwise_kernel_gradient(repeated, cotangent, kernel.shape, strides, padding, dilation)
    return in_x, in_kernel.astype(kernel.dtype)


def _repeat(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Every channel once for each of its outputs."""
    multiplier = kernel.shape[-1] // x.shape[-1]
    return jnp.repeat(x, multiplier, axis=-1) if multiplier > 1 else x


def depthwise_transposed(
    y: jax.Array, kernel: jax.Array, strides: Ints, padding: Pairs, dilation: Ints, sizes: Ints
) -> jax.Array:
    """The adjoint of the depthwise convolution, phase by phase: pixels q with equal q mod S see equal taps."""
    wide = _wide(y.dtype)
    y, kernel, given = y.astype(wide), kernel.astype(wide), y.dtype
    counts = [-(-size // s) for size, s in zip(sizes, strides, strict=True)]
    taps = list(itertools.product(*map(range, kernel.shape[:-2])))

    def sources(tap: Ints, phase: Ints) -> list[int] | None:
        """Where in y a tap reads for the first pixel of a phase; None: it never falls on one."""
        places = [q + low - t * d for q, (low, _), t, d in zip(phase, padding, tap, dilation, strict=True)]
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

    return weave(())[(slice(None), *(slice(size) for size in sizes))].astype(given)


def _depthwise_kernel_gradient(
    x: jax.Array, cotangent: jax.Array, shape: Ints, strides: Ints, padding: Pairs, dilation: Ints
) -> jax.Array:
    """Σ over images and positions of window · cotangent, for every tap.

    XLA reduces slowly what it has fused with a product. So planes of the batch are added up in one
    elementwise pass, and the rest by a product with ones, which is not fused.
    """
    kernel_size, channels = shape[:-2], x.shape[-1]
    rows = math.prod(cotangent.shape[:2])
    planes = max(p for p in range(1, 9) if rows % p == 0)
    split = lambda z: z.reshape(planes, rows // planes, *z.shape[2:])  # noqa: E731
    parts = split(cotangent)

    def total(window: jax.Array) -> jax.Array:
        seen = split(window)
        products = functools.reduce(jnp.add, (seen[plane] * parts[plane] for plane in range(planes)))
        products = products.reshape(-1, channels)
        return jnp.matmul(jnp.ones((1, products.shape[0]), products.dtype), products, precision="highest")[0]

    padded = jnp.pad(x, ((0, 0), *padding, (0, 0)))
    if math.prod(kernel_size) <= 9:
        seen = windows(padded, kernel_size, strides, ((0, 0),) * len(strides), dilation)
        return jnp.stack([total(window) for window in seen]).reshape(shape)

    def row(tap: jax.Array) -> jax.Array:
        """All taps of one row of the kernel; rows in a loop, so that large kernels compile in bounded time."""
        rows = tap * dilation[0] + strides[0] * jnp.arange(cotangent.shape[1])
        # Gathered, since XLA fuses a slice that moves into the products, which are then up to three times slower.
        band = jnp.take(padded, rows, axis=1, mode="clip")
        inner = windows(band, (1, *kernel_size[1:]), (1, *strides[1:]), ((0, 0),) * len(strides), dilation)
        return jnp.stack([total(window) for window in inner])

    return lax.map(row, jnp.arange(kernel_size[0])).reshape(shape)


def merged_form(
    x: jax.Array, kernel: jax.Array, strides: Ints, padding: Pairs, dilation: Ints, groups: int, merge: int
) -> jax.Array:
    """Groups merged by `merge` into dense convolutions with block-diagonal kernels, one after another."""
    *kernel_size, inputs, outputs = kernel.shape
    kernel = kernel.reshape(*kernel_size, inputs, groups, outputs // groups)
    results = []
    for first in range(0, groups, merge):
        count = min(merge, groups - first)
        part = kernel[..., first : first + count, :]
        diagonal = jnp.eye(count, dtype=kernel.dtype).reshape((1,) * len(kernel_size) + (count, 1, count, 1))
        block = jnp.moveaxis(part, -2, -3)[..., None, :] * diagonal
        block = block.reshape(*kernel_size, count * inputs, count * (outputs // groups))
        seen = x[..., first * inputs : (first + count) * inputs]
        if math.prod(kernel_size) == 1 and not any(map(any, padding)):
            results.append(matmul_form(seen, block, strides))
        else:
            results.append(native_form(seen, block, strides, padding, dilation, 1))
    return jnp.concatenate(results, axis=-1)


def subpixel_form(y: jax.Array, kernel: jax.Array, strides: Ints, padding: Pairs, sizes: Ints) -> jax.Array:
    """The strided transposed convolution from convolutions at the small size.

    Pixels q of the unpadded result with equal r = q mod S see the taps r, r + S, …: a convolution of y
    with those. Along an axis there are ⌈k / S⌉ of them for r below k mod S, and ⌊k / S⌋ for the others,
    so phases of equal size are computed together, as channels, and then laid out as pixels.
    """
    rank, (*kernel_size, features, inputs) = len(strides), kernel.shape
    most = [-(-k // s) for k, s in zip(kernel_size, strides, strict=True)]
    lengths = [n + taps - 1 for n, taps in zip(y.shape[1:-1], most, strict=True)]
    ranges = [
        [(first, last) for first, last in ((0, k % s), (k % s, s)) if first < last]
        for k, s in zip(kernel_size, strides, strict=True)
    ]

    def part(block: tuple[tuple[int, int], ...]) -> jax.Array:
        """(N, *lengths, *phases, features) of one rectangle of phases."""
        phases = [last - first for first, last in block]
        count = [len(range(first, k, s)) for (first, _), k, s in zip(block, kernel_size, strides, strict=True)]
        if 0 in count:
            return jnp.zeros((y.shape[0], *lengths, *phases, features), y.dtype)
        taps = kernel
        for axis, ((first, last), n, s) in enumerate(zip(block, count, strides, strict=True)):
            index = np.arange(first, last) + s * np.arange(n)[::-1, None]
            taps = jnp.take(taps, index.ravel(), axis=axis)
        shape = [size for pair in zip(count, phases, strict=True) for size in pair]
        taps = taps.reshape(*shape, features, inputs)
        order = [*range(0, 2 * rank, 2), 2 * rank + 1, *range(1, 2 * rank, 2), 2 * rank]
        taps = taps.transpose(order).reshape(*count, inputs, -1)
        pairs = tuple((n - 1, longest - 1) for n, longest in zip(count, most, strict=True))
        return native_form(y, taps, (1,) * rank, pairs, (1,) * rank, 1).reshape(y.shape[0], *lengths, *phases, features)

    def gather(block: tuple[tuple[int, int], ...]) -> jax.Array:
        axis = len(block)
        if axis == rank:
            return part(block)
        return jnp.concatenate([gather((*block, phases)) for phases in ranges[axis]], axis=1 + rank + axis)

    order = [0, *(side + axis for axis in range(rank) for side in (1, rank + 1)), 2 * rank + 1]
    whole = [n * s for n, s in zip(lengths, strides, strict=True)]
    x = gather(()).transpose(order).reshape(y.shape[0], *whole, features)
    edges = [(-low, low + size - n, 0) for (low, _), size, n in zip(padding, sizes, whole, strict=True)]
    return lax.pad(x, jnp.zeros((), x.dtype), ((0, 0, 0), *edges, (0, 0, 0)))


def subpixel_gradients(
    y: jax.Array, kernel: jax.Array, cotangent: jax.Array, strides: Ints, padding: Pairs
) -> tuple[jax.Array, jax.Array]:
    """Gradients of `subpixel_form`: a strided convolution, and a matrix product for every tap."""
    ones = (1,) * len(strides)
    in_y = native_form(cotangent, kernel, strides, padding, ones, 1)
    rows = y.reshape(-1, y.shape[-1])
    seen = windows(cotangent, kernel.shape[:-2], strides, padding, ones)
    products = [
        jnp.matmul(window.reshape(-1, window.shape[-1]).T, rows, preferred_element_type=_wide(y.dtype))
        for window in seen
    ]
    return in_y, jnp.stack(products).astype(kernel.dtype).reshape(kernel.shape)
