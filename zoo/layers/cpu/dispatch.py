"""The form in which a convolution is computed on CPU: the first case of a table that applies.

XLA's native convolution is right on GPU and TPU. On CPU some cases of it are slow by large factors; each has a
file in this folder with its condition, its form, its gradients and the measurements that justify them. The choice is
made from shapes alone when a program is traced; where no case applies, the native form stays. Max pooling has a
choice of its own in `zoo.layers.cpu.max_pooling`.

Unless said otherwise, the factors in this folder are those of `python -m tests.benchmarks --suite layers` on two x86
cores in float32.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from zoo.layers import native
from zoo.layers.cpu import depthwise, grouped, patches, pointwise, products, subpixel
from zoo.layers.cpu.derivatives import choose, choose_in_kernel, choose_with_gradients
from zoo.layers.native import Ints, Settings


class Case(NamedTuple):
    """A case in which convolutions are computed in another form on CPU.

    Attributes:
      applies: whether shapes and settings are those of the case.
      form: computes the convolution.
      gradients: compute its gradients; None: JAX differentiates the form.
      in_kernel: the form whose adjoint is the gradient in the kernel; None: as its other gradient.
    """

    applies: Callable[..., bool]
    form: Callable[..., jax.Array]
    gradients: Callable[..., tuple[jax.Array, jax.Array]] | None = None
    in_kernel: Callable[..., jax.Array] | None = None


CASES = (
    Case(pointwise.applies, pointwise.form),
    Case(depthwise.applies, depthwise.form, depthwise.gradients),
    Case(grouped.applies, grouped.form),
    Case(patches.applies, patches.form),
    Case(products.applies, native.convolve, in_kernel=products.form),
)

TRANSPOSED_CASES = (
    Case(subpixel.applies, subpixel.form, subpixel.gradients),
    Case(depthwise.transposed_applies, depthwise.transposed_form),
)


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
    return _run(CASES, (x.shape, kernel.shape, settings), native.convolve, settings)(x, kernel)


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
    return _run(TRANSPOSED_CASES, (kernel.shape, settings), native.convolve_transposed, settings, sizes)(y, kernel)


def _run(cases: tuple[Case, ...], shapes: tuple, native_form: Callable, *settings: Any) -> Callable:
    """The function that the first case computes whose condition holds for the shapes."""

    def settled(form: Callable) -> Callable:
        return lambda *operands: form(*operands, *settings)

    default = settled(native_form)
    case = next((case for case in cases if case.applies(*shapes)), None)
    if case is None:
        return default
    if case.in_kernel:
        return choose_in_kernel(settled(case.in_kernel), default)
    if case.gradients:
        return choose_with_gradients(settled(case.form), settled(case.gradients), default)
    return choose(settled(case.form), default)
