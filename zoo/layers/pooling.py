"""Pooling: each window reduced to one number for each channel."""

import functools
import itertools
import math
from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from convzoo.checks import integer
from zoo.layers.arithmetic import Padding, Sizes, padding_pairs, per_axis
from zoo.layers.convolutions import convolution
from zoo.layers.cpu.max_pooling import largest


class _Windows(NamedTuple):
    """Where the windows of a pooling lie: one entry a spatial axis."""

    size: tuple[int, ...]
    step: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    overhang: tuple[int, ...]
    """Pixels by which the last window reaches past the padded input; not zero in ceil mode only."""

    @property
    def reach(self) -> tuple[tuple[int, int], ...]:
        return tuple((low, high + over) for (low, high), over in zip(self.padding, self.overhang, strict=True))


def _windows(x: jax.Array, window: Sizes, strides: Sizes | None, padding: Padding, ceil_mode: bool) -> _Windows:
    size = per_axis(window, None, "window")
    rank = len(size)
    if x.ndim < rank + 1:
        raise ValueError(
            f"an input of shape {x.shape}: pooling {window} expects (*batch, {'H, W' if rank == 2 else '*spatial'}, C)"
        )
    sizes = x.shape[-rank - 1 : -1]
    step = size if strides is None else per_axis(strides, rank, "strides")
    pairs = padding_pairs(padding, sizes, size, step, (1,) * rank)
    overhang = []
    for axis, (have, k, s, pair) in enumerate(zip(sizes, size, step, pairs, strict=True)):
        spare = have + sum(pair) - k
        if spare < (1 - s if ceil_mode else 0):
            raise ValueError(
                f"a window of {k} is larger than spatial axis {axis} of {have} with padding {pair}: "
                "use a smaller window or a larger input"
            )
        if max(pair) >= k:
            raise ValueError(
                f"padding {pair} on spatial axis {axis} leaves windows of {k} without a pixel: use at most {k - 1}"
            )
        last = -(-spare // s) * s if ceil_mode else spare
        # A window that starts beyond the input and its left padding would hold nothing.
        overhang.append(last - spare if last < have + pair[0] else 0)
    return _Windows(size, step, pairs, tuple(overhang))


def _slide(x: jax.Array, windows: _Windows, reduce: Callable[..., jax.Array]) -> jax.Array:
    """Reduce every window, over any number of batch axes."""
    rank = len(windows.size)
    y = reduce(x.reshape(-1, *x.shape[-rank - 1 :]), windows.size, windows.step, windows.reach)
    return y.reshape(*x.shape[: -rank - 1], *y.shape[1:])


def max_pool(
    x: jax.Array, window: Sizes, strides: Sizes | None = None, padding: Padding = "VALID", ceil_mode: bool = False
) -> jax.Array:
    """Take the largest value of each window.

    Args:
      x: (*batch, *spatial, C).
      window: size of the window, in pixels: an integer for a square one over images.
      strides: step between windows; by default the window's own size.
      padding: as for `zoo.layers.convolution`, smaller than the window; padded pixels never win.
      ceil_mode: let a last window reach past the end where the stride does not divide, rather
        than drop the pixels there.

    Returns:
      (*batch, *output sizes, C).

    Raises:
      ValueError: a window that does not fit.

    Example:
      >>> max_pool(jnp.arange(16.0).reshape(1, 4, 4, 1), 2)[0, :, :, 0].tolist()
      [[5.0, 7.0], [13.0, 15.0]]
    """
    return _slide(x, _windows(x, window, strides, padding, ceil_mode), largest)


def avg_pool(
    x: jax.Array,
    window: Sizes,
    strides: Sizes | None = None,
    padding: Padding = "VALID",
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> jax.Array:
    """Take the mean of each window.

    Args:
      x: (*batch, *spatial, C).
      window, strides, padding, ceil_mode: as for `max_pool`.
      count_include_pad: divide by the pixels of the window that lie in the input or its padding, or
        by those in the input alone; what ceil mode adds is never counted.

    Returns:
      (*batch, *output sizes, C).

    Raises:
      ValueError: a window that does not fit.

    Example:
      >>> avg_pool(jnp.arange(16.0).reshape(1, 4, 4, 1), 2)[0, :, :, 0].tolist()
      [[2.5, 4.5], [10.5, 12.5]]
    """
    windows = _windows(x, window, strides, padding, ceil_mode)
    x, rank = _fractional(x), len(windows.size)
    total = _slide(x, windows, lambda x, *windows: nn.pool(x, 0.0, lax.add, *windows))
    counts = []
    for have, outputs, k, s, (low, high) in zip(
        x.shape[-rank - 1 : -1], total.shape[-rank - 1 : -1], windows.size, windows.step, windows.padding, strict=True
    ):
        start = np.arange(outputs) * s - low
        first, end = (-low, have + high) if count_include_pad else (0, have)
        counts.append(np.minimum(start + k, end) - np.maximum(start, first))
    if all((count == count[0]).all() for count in counts):
        return total / np.asarray(math.prod(int(count[0]) for count in counts), x.dtype)
    divisor = functools.reduce(np.multiply.outer, counts).astype(x.dtype)
    return total / divisor.reshape((1,) * (x.ndim - rank - 1) + divisor.shape + (1,))


def global_avg_pool(x: jax.Array) -> jax.Array:
    """Take the mean of each channel over space: (N, *spatial, C) → (N, C).

    Example:
      >>> global_avg_pool(jnp.ones((2, 7, 7, 3))).shape
      (2, 3)
    """
    return jnp.mean(x, axis=tuple(range(1, x.ndim - 1)))


def global_max_pool(x: jax.Array) -> jax.Array:
    """Take the largest value of each channel over space: (N, *spatial, C) → (N, C).

    Example:
      >>> global_max_pool(jnp.ones((2, 7, 7, 3))).shape
      (2, 3)
    """
    return jnp.max(x, axis=tuple(range(1, x.ndim - 1)))


def adaptive_avg_pool(x: jax.Array, sizes: Sizes) -> jax.Array:
    r"""Average over a fixed number of windows, whatever the input's size.

    Output i of S averages the pixels from :math:`\lfloor i n / S \rfloor` up to
    :math:`\lceil (i + 1) n / S \rceil`, so that neighbouring windows share a pixel where S does not divide n.

    Args:
      x: (*batch, *spatial, C).
      sizes: output size of each spatial axis; an integer for a square of two.

    Returns:
      (*batch, *sizes, C).

    Raises:
      ValueError: a size that is not positive, or an input with too few axes.

    Example:
      >>> adaptive_avg_pool(jnp.ones((1, 13, 10, 8)), 6).shape
      (1, 6, 6, 8)
    """
    outputs = per_axis(sizes, None, "sizes")
    rank = len(outputs)
    if x.ndim < rank + 1:
        raise ValueError(f"an input of shape {x.shape}: pooling to {outputs} expects (*batch, *spatial, C)")
    have = x.shape[-rank - 1 : -1]
    if not any(n % size for n, size in zip(have, outputs, strict=True)):
        return avg_pool(x, tuple(n // size for n, size in zip(have, outputs, strict=True)))
    x = _fractional(x)
    for axis, (n, size) in enumerate(zip(have, outputs, strict=True), start=x.ndim - rank - 1):
        index, pixel = np.ogrid[:size, :n]
        inside = (pixel >= index * n // size) & (pixel < -(-(index + 1) * n // size))
        weights = (inside / inside.sum(1, keepdims=True)).astype(x.dtype)
        x = jnp.moveaxis(jnp.tensordot(x, weights, (axis, 1), precision="highest"), -1, axis)
    return x


def _fractional(x: jax.Array) -> jax.Array:
    """Whole numbers, such as the bytes of an image, as ones that can hold a mean."""
    return jnp.asarray(x) if jnp.issubdtype(x.dtype, jnp.inexact) else jnp.asarray(x, jnp.float32)


def blur_pool(x: jax.Array, window: int = 3, strides: Sizes = 2) -> jax.Array:
    """Blur with a binomial window, then keep every `strides`-th pixel: sampling without aliasing.

    The blurred pooling of the Neocognitron's C-cells, and the cure for max pooling's sensitivity
    to one-pixel shifts: max-pool with stride 1, then blur-pool.

    Args:
      x: (N, H, W, C).
      window: size of the blur; 3 weighs by 1, 2, 1 and 5 by 1, 4, 6, 4, 1 along each axis.
      strides: step between the pixels kept.

    Returns:
      (N, ceil(H / strides), ceil(W / strides), C); borders are mirrored.

    Raises:
      ValueError: a window of less than one pixel, or an image too small to mirror.

    Example:
      >>> blur_pool(jnp.ones((1, 8, 8, 3))).shape
      (1, 4, 4, 3)

    Reference: Zhang, 2019, arXiv:1904.11486.
    """
    integer("window", window)
    low, high = (window - 1) // 2, window // 2
    if x.ndim != 4 or min(x.shape[1:3]) <= high:
        raise ValueError(f"an input of shape {x.shape}: a blur of {window} expects (N, H, W, C) of more than {high} px")
    x = _fractional(x)
    line = np.array([math.comb(window - 1, tap) for tap in range(window)]) / 2 ** (window - 1)
    kernel = np.broadcast_to(np.outer(line, line)[:, :, None, None], (window, window, 1, x.shape[-1]))
    x = jnp.pad(x, ((0, 0), (low, high), (low, high), (0, 0)), "reflect")
    return convolution(x, jnp.asarray(kernel, x.dtype), strides, "VALID", groups=x.shape[-1])


class Tolerance(NamedTuple):
    """The translation of a single peak that leaves the output of a pooling unchanged.

    Attributes:
      window: pixels that it can move while the output that sees it best keeps its value.
      output: pixels that it can move while no output changes, at the best starting point.
      unchanged: share of all one-pixel moves that change no output, in [0, 1].
    """

    window: int
    output: int
    unchanged: float


def translation_tolerance(pool: Callable[[jax.Array], jax.Array], size: int = 24) -> Tolerance:
    """Measure the translation that a pooling removes, on a single peak that moves pixel by pixel.

    Args:
      pool: (N, H, W, 1) → (N, H', W', 1).
      size: width of the image that the peak crosses, in pixels, 4 or more; positions near the border are left out.

    Returns:
      A `Tolerance`.

    Raises:
      ValueError: a smaller size.

    Example:
      >>> translation_tolerance(lambda x: max_pool(x, 3, 2))
      Tolerance(window=2, output=0, unchanged=0.0)

    Reference: Zhang, 2019, arXiv:1904.11486, for the same question about whole networks.
    """
    integer("size", size, 4)
    images = np.zeros((size, size, size, 1), np.float32)
    images[np.arange(size), size // 2, np.arange(size), 0] = 1.0
    positions = slice(size // 4, size - size // 4)
    outputs = np.asarray(pool(jnp.asarray(images)))[positions].reshape(size - 2 * (size // 4), -1)
    same_cell = np.isclose(outputs, outputs.max(), atol=1e-6)
    same_all = np.isclose(outputs[1:], outputs[:-1], atol=1e-6).all(1)
    longest = max(_longest_run(column) for column in same_cell.T)
    return Tolerance(longest - 1, _longest_run(same_all), float(same_all.mean()))


def _longest_run(flags: np.ndarray) -> int:
    return max((len(list(run)) for flag, run in itertools.groupby(flags) if flag), default=0)


def flatten(x: jax.Array) -> jax.Array:
    """Flatten space and channels to one axis, row by row: (N, *spatial, C) → (N, prod).

    Example:
      >>> flatten(jnp.ones((2, 4, 4, 3))).shape
      (2, 48)
    """
    return x.reshape(x.shape[0], math.prod(x.shape[1:]))
