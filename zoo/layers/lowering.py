"""How a convolution is computed on each platform; what it computes is the same everywhere.

XLA's native convolution is right on GPU and TPU. On CPU some cases of it are slow by
large factors, so there each case below has a form of its own. The choice is made
here, from shapes alone, when the program is lowered: a compiled program holds one form
only, and `jax.export` for several platforms holds each.

| case on CPU | form in `zoo.layers.forms` or `dense_forms` | native is slower by: forward, gradient |
|---|---|---|
| 1×1 without padding | `matmul_form` | 1.0–2.1, 1.3–2.6 |
| depthwise, up to 81 taps | `depthwise_form`, gradients by hand | 14–30, 13–37 |
| other groups | `merged_form`: at most 8 dense convolutions of at least 16 channels | 4, 170–190 |
| transposed with stride, one group | `subpixel_form`, gradients by hand | 1.1–1.3, 22–29 |
| transposed, depthwise | `depthwise_transposed` | as depthwise |
| images in patches | `folded_form` | 1.6–1.8, 1.9 |
| images with a stride, up to 4 channels | `folded_form`, and the native kernel gradient | 1.1–2.6, 1.4–1.8 |
| 7 to 64 rows, outputs no multiple of 128 | `taller_form`; adjoint of `shorter_form` | 1.3–1.5, 1.4–1.6 |
| at least 128 outputs, 3 million numbers | kernel gradient of `lines_form` | 1, 1.6–1.7 |
| everything else | native | 1, 1 |

Max pooling has a choice of its own in `zoo.layers.max_pooling`.

XLA has two libraries for ordinary convolutions on CPU. It hands them to YNNPACK whenever that can take them, which it
cannot where the output is taller than the image. YNNPACK shares out tiles of 64 output channels by 64 columns among the
cores: with one tile only one of them works. Eigen shares out pixels, and is faster for large kernel gradients.

The factors are those of two runs of `python -m tests.benchmarks --suite layers` on two x86 cores in float32.
Where gradients are "by hand", forward mode (`jax.jvp`, `jax.jacfwd`) is missing, on every platform;
reverse mode, and forward mode over it (Hessian-vector products), work everywhere.
"""

import functools
import math
import operator
from collections.abc import Callable

import jax
from jax import lax
from jax.custom_derivatives import SymbolicZero

from zoo.layers import dense_forms, forms
from zoo.layers.forms import Ints, Pairs

# A depthwise kernel beyond 9×9 takes too long to compile as a sum of images.
MOST_TAPS = 81
# Below 16 channels a dense convolution is bound by memory; more than 8 of them compile slowly.
LEAST_CHANNELS, MOST_CONVOLUTIONS = 16, 8
# What counts as an image rather than features.
COLOURS = 4
# Where XLA's choice between its two libraries for an ordinary convolution costs time: with fewer than so many
# channels on one side, so many rows, and outputs that fill no even number of tiles, or fewer than so many inputs.
MANY_CHANNELS, SHORT, TALL, TWO_TILES, FEW_INPUTS = 256, 7, 64, 128, 64
# Numbers in an output from which that choice makes the kernel gradient slow, given as many channels as two tiles.
MANY_NUMBERS = 3 << 20


Operation = Callable[[jax.Array, jax.Array], jax.Array]
Gradients = Callable[[jax.Array, jax.Array, jax.Array], tuple[jax.Array, jax.Array]]


@functools.partial(jax.jit, static_argnums=(2, 3, 4, 5), inline=True)
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
    taps, inputs = math.prod(kernel.shape[:-2]), kernel.shape[-2]

    def native(x, kernel):
        return forms.native_form(x, kernel, strides, padding, dilation, groups)

    if groups == 1 and taps == 1 and not any(map(any, padding)):
        return _choose(lambda x, kernel: forms.matmul_form(x, kernel, strides), native)(x, kernel)
    if groups > 1 and inputs == 1 and taps <= MOST_TAPS:
        return _choose(
            lambda x, kernel: forms.depthwise_form(x, kernel, strides, padding, dilation),
            native,
            lambda x, kernel, y: forms.depthwise_gradients(x, kernel, y, strides, padding, dilation),
        )(x, kernel)
    if groups > 1 and inputs > 1:
        merge = max(-(-LEAST_CHANNELS // inputs), -(-groups // MOST_CONVOLUTIONS))
        merged = lambda x, kernel: forms.merged_form(x, kernel, strides, padding, dilation, groups, merge)  # noqa: E731
        return _choose(merged, native)(x, kernel)
    if x.ndim == 4 and set(dilation) == {1}:
        return _dense(x, kernel, strides, padding, native)
    return native(x, kernel)


def _dense(x: jax.Array, kernel: jax.Array, strides: Ints, padding: Pairs, native: Operation) -> jax.Array:
    """The ordinary convolution of images."""
    *kernel_size, inputs, outputs = kernel.shape
    folded = lambda x, kernel: dense_forms.folded_form(x, kernel, strides, padding)  # noqa: E731
    if kernel_size == [*strides] and not any(map(any, padding)) and not any(map(operator.mod, x.shape[1:], strides)):
        return _choose(folded, native)(x, kernel)
    if inputs <= COLOURS and min(strides) > 1:
        forward = folded if max(strides) == 2 else native
        return _choose_each(forward, folded if math.prod(kernel_size) > 9 else native, native, native)(x, kernel)
    if max(strides) > 1:
        return native(x, kernel)
    form = lambda build: lambda x, kernel: build(x, kernel, padding)  # noqa: E731
    forward = in_x = in_kernel = native
    sizes = [n + sum(pair) - k + 1 for n, k, pair in zip(x.shape[1:], kernel_size, padding, strict=False)]
    few, most = sorted((inputs, outputs))
    if few < MANY_CHANNELS and most > LEAST_CHANNELS and all(SHORT <= n <= TALL for n in (sizes[0], x.shape[1])):
        if outputs % TWO_TILES or inputs < FEW_INPUTS:
            forward = form(dense_forms.taller_form)
        if inputs % TWO_TILES or outputs < FEW_INPUTS:
            in_x = form(dense_forms.shorter_form)
    if outputs >= TWO_TILES and x.shape[0] * math.prod(sizes) * outputs >= MANY_NUMBERS:
        in_kernel = form(dense_forms.lines_form)
    return _choose_each(forward, in_x, in_kernel, native)(x, kernel)


@functools.partial(jax.jit, static_argnums=(2, 3, 4, 5, 6), inline=True)
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

    def native(y, kernel):
        return forms.native_transposed(y, kernel, strides, padding, dilation, groups, sizes)

    if groups == 1 and set(dilation) == {1} and math.prod(strides) > 1:
        return _choose(
            lambda y, kernel: forms.subpixel_form(y, kernel, strides, padding, sizes),
            native,
            lambda y, kernel, x: forms.subpixel_gradients(y, kernel, x, strides, padding),
        )(y, kernel)
    if 1 < groups == kernel.shape[-1] and kernel.shape[-2] == 1 and math.prod(kernel.shape[:-2]) <= MOST_TAPS:
        painted = lambda y, kernel: forms.depthwise_transposed(y, kernel, strides, padding, dilation, sizes)  # noqa: E731
        return _choose(painted, native)(y, kernel)
    return native(y, kernel)


def apart(x: jax.Array) -> jax.Array:
    """The same numbers, in a way that on CPU keeps what made them apart from what takes them.

    XLA hands a network of nothing but convolutions, rectifiers, pools and dense layers to one call of a library,
    in which a dense layer on few images takes thirty times as long as alone: a forward pass of VGG-11 on 8 images
    1.65 s instead of 0.74 s. That library has no selection.

    Example:
      >>> apart(jax.numpy.array([1.0, -jax.numpy.inf])).tolist()
      [1.0, -inf]
    """
    return lax.platform_dependent(x, cpu=lambda x: lax.select(x == x, x, x + x), default=lambda x: x)


def _choose(cpu: Operation, native: Operation, gradients: Gradients | None = None) -> Operation:
    """`cpu` on CPU and `native` elsewhere; with `gradients`, those stand for the derivative of `cpu`."""

    def run(x, kernel):
        return lax.platform_dependent(x, kernel, cpu=cpu, default=native)

    if gradients is None:
        return run
    # The derivative is outside the choice, so that forward mode over it meets plain operations on both sides.
    chosen = jax.custom_vjp(run)
    chosen.defvjp(
        lambda x, kernel: (run(x, kernel), (x, kernel)),
        lambda saved, cotangent: lax.platform_dependent(
            *saved, cotangent, cpu=gradients, default=lambda x, kernel, y: jax.vjp(native, x, kernel)[1](y)
        ),
    )
    return chosen


def _choose_each(forward: Operation, in_x: Operation, in_kernel: Operation, native: Operation) -> Operation:
    """On CPU `forward` for the values, and what JAX makes of the other two for the derivative in each argument.

    All are the same bilinear function. A gradient is computed as the adjoint of the form for its argument, which
    itself is run in forward mode alone: so every kind of derivative works.
    """

    if forward is in_x is in_kernel is native:
        return native

    def on(cpu: Operation) -> Operation:
        return native if cpu is native else lambda x, kernel: lax.platform_dependent(x, kernel, cpu=cpu, default=native)

    chosen = jax.custom_jvp(on(forward))

    def derivative(primals, tangents):
        (x, kernel), (dx, dkernel) = primals, tangents
        parts = []
        if not isinstance(dx, SymbolicZero):
            parts.append(on(in_x)(dx, kernel))
        if not isinstance(dkernel, SymbolicZero):
            parts.append(on(in_kernel)(x, dkernel))
        y = chosen(x, kernel)
        return y, functools.reduce(operator.add, parts) if parts else lax.full_like(y, 0)

    chosen.defjvp(derivative, symbolic_zeros=True)
    return chosen
