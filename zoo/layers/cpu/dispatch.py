"""The form in which a convolution is computed on CPU: the first case of a table that applies.

XLA's native convolution is right on GPU and TPU. On CPU some cases of it are slow by large factors; each has a
file in this folder with its condition, its form, its gradients and the measurements that justify them. The choice is
made from shapes alone when a program is traced; where no case applies, the native form stays. Max pooling has a
choice of its own in `zoo.layers.cpu.max_pooling`.

Unless said otherwise, the factors in this folder are those of `python -m tests.benchmarks --suite layers` on two x86
cores in float32, with nothing else running: some of the forms win by keeping both cores at work, which processor
time and a busy machine do not show.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax

from zoo.layers import native
from zoo.layers.cpu import depthwise, grouped, patches, pointwise, products, stems, subpixel, taller
from zoo.layers.cpu.derivatives import choose, choose_each, choose_with_gradients
from zoo.layers.native import Ints, Settings

CASES = (
    (pointwise.applies, pointwise.form, None),
    (depthwise.applies, depthwise.form, depthwise.gradients),
    (grouped.applies, grouped.form, None),
    (patches.applies, patches.form, None),
)
"""Condition, form and gradients; without these, the form is differentiated by JAX."""

VALUES = (
    (stems.applies, patches.form),
    (taller.applies, taller.form),
)
"""Where no case applies: condition and form for the values alone."""

IMAGE_GRADIENTS = (
    (stems.large_applies, patches.form),
    (taller.shorter_applies, taller.shorter_form),
)
"""Condition, and the form whose adjoint is the gradient in the images."""

KERNEL_GRADIENTS = ((products.applies, products.form),)
"""Condition, and the form whose adjoint is the gradient in the kernel."""

TRANSPOSED_CASES = (
    (subpixel.applies, subpixel.form, subpixel.gradients),
    (depthwise.transposed_applies, depthwise.transposed_form, None),
)
"""Condition, form and gradients of a transposed convolution."""


@functools.partial(jax.jit, static_argnums=2, inline=True)
def convolve(x: jax.Array, kernel: jax.Array, settings: Settings) -> jax.Array:
    """Convolve with validated, explicit settings, in the forms that suit the platform.

    Args:
      x: (N, *spatial, C_in).
      kernel: (*kernel_size, C_in / groups, C_out).
      settings: strides, padding, dilation and groups.

    Returns:
      (N, *output sizes, C_out).
    """
    shapes = (x.shape, kernel.shape, settings)
    default = _settled(native.convolve, settings)
    if case := _first(CASES, *shapes):
        return _run(*case, default, settings)(x, kernel)
    values, in_images, in_kernel = (
        _settled(*row, settings) if (row := _first(table, *shapes)) else default
        for table in (VALUES, IMAGE_GRADIENTS, KERNEL_GRADIENTS)
    )
    return choose_each(values, in_images, in_kernel, default)(x, kernel)


@functools.partial(jax.jit, static_argnums=(2, 3), inline=True)
def convolve_transposed(y: jax.Array, kernel: jax.Array, settings: Settings, sizes: Ints) -> jax.Array:
    """The adjoint of `convolve` with the same kernel and settings, in the form that suits the platform.

    Args:
      y: (N, *spatial, C_in), shaped as an output of `convolve`.
      kernel: (*kernel_size, features / groups, C_in), that of `convolve`.
      settings: those of `convolve`.
      sizes: the spatial sizes that `convolve` would take.

    Returns:
      (N, *sizes, features).
    """
    default = _settled(native.convolve_transposed, settings, sizes)
    if case := _first(TRANSPOSED_CASES, kernel.shape, settings):
        return _run(*case, default, settings, sizes)(y, kernel)
    return default(y, kernel)


def _first(table: tuple, *shapes: Any) -> tuple | None:
    """The first row of a table whose condition holds, without the condition."""
    return next((row for applies, *row in table if applies(*shapes)), None)


def _settled(form: Callable[..., Any], *settings: Any) -> Callable[..., Any]:
    """A form with its last arguments."""
    return lambda *operands: form(*operands, *settings)


def _run(form: Callable, gradients: Callable | None, default: Callable, *settings: Any) -> Callable:
    """The function that a case computes."""
    cpu = _settled(form, *settings)
    if gradients is None:
        return choose(cpu, default)
    return choose_with_gradients(cpu, _settled(gradients, *settings), default)
