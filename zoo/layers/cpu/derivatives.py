"""Functions of images and a kernel that are computed on CPU in forms of their own, and the derivatives of these.

A compiled program holds the forms of its platform alone; `jax.export` for several platforms holds each. The
default form is the one on other platforms, and the one that an interpreter of traced programs meets.
"""

import functools
import operator
from collections.abc import Callable

import jax
from jax import lax
from jax.custom_derivatives import SymbolicZero

Form = Callable[[jax.Array, jax.Array], jax.Array]
"""`(images, kernel) -> output`."""

Gradients = Callable[[jax.Array, jax.Array, jax.Array], tuple[jax.Array, jax.Array]]
"""`(images, kernel, gradient in the output) -> gradients in the images and the kernel`."""


def choose(cpu: Form, default: Form) -> Form:
    """Build the function that is computed in one form on CPU and in another elsewhere."""
    return functools.partial(lax.platform_dependent, cpu=cpu, default=default) if cpu is not default else default


def choose_with_gradients(cpu: Form, gradients: Gradients, default: Form) -> Form:
    """Build the function that is computed in one form on CPU, with gradients by hand, and in another elsewhere.

    Forward mode (`jax.jvp`, `jax.jacfwd`) is missing, on every platform; reverse mode, and forward mode over it
    (Hessian-vector products), work everywhere.
    """

    def pull(saved, cotangent):
        def default_gradients(x, kernel, cotangent):
            return jax.vjp(default, x, kernel)[1](cotangent)

        return lax.platform_dependent(*saved, cotangent, cpu=gradients, default=default_gradients)

    # The derivative is outside the choice, so that forward mode over it meets plain operations on both sides.
    run = choose(cpu, default)
    chosen = jax.custom_vjp(run)
    chosen.defvjp(lambda x, kernel: (run(x, kernel), (x, kernel)), pull)
    return chosen


def choose_each(values: Form, in_images: Form, in_kernel: Form, default: Form) -> Form:
    """Build the function that on CPU has a form for its values and one for the derivative in each argument.

    All are forms of the same bilinear function. A gradient is computed as the adjoint of the form for its argument,
    which itself is run in forward mode alone: so every kind of derivative works.

    Args:
      values: computes the function itself.
      in_images: its adjoint in the first argument computes the gradient there.
      in_kernel: its adjoint in the second argument computes the gradient there.
      default: the form elsewhere.
    """
    if values is in_images is in_kernel is default:
        return default
    chosen = jax.custom_jvp(choose(values, default))

    def derivative(primals, tangents):
        (x, kernel), (dx, dkernel) = primals, tangents
        parts = []
        if not isinstance(dx, SymbolicZero):
            parts.append(choose(in_images, default)(dx, kernel))
        if not isinstance(dkernel, SymbolicZero):
            parts.append(choose(in_kernel, default)(x, dkernel))
        y = chosen(x, kernel)
        return y, functools.reduce(operator.add, parts) if parts else lax.full_like(y, 0)

    chosen.defjvp(derivative, symbolic_zeros=True)
    return chosen
