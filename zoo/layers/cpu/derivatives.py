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
    return functools.partial(lax.platform_dependent, cpu=cpu, default=default)


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


def choose_in_kernel(in_kernel: Form, default: Form) -> Form:
    """Build the function whose derivative in the kernel, on CPU, is that of another form.

    Both are forms of the same bilinear function. The gradient is computed as the adjoint of the form, which itself is
    run in forward mode alone: so every kind of derivative works.
    """
    chosen = jax.custom_jvp(default)
    tangent = choose(in_kernel, default)

    def derivative(primals, tangents):
        (x, kernel), (dx, dkernel) = primals, tangents
        parts = []
        if not isinstance(dx, SymbolicZero):
            parts.append(default(dx, kernel))
        if not isinstance(dkernel, SymbolicZero):
            parts.append(tangent(x, dkernel))
        y = chosen(x, kernel)
        return y, functools.reduce(operator.add, parts) if parts else lax.full_like(y, 0)

    chosen.defjvp(derivative, symbolic_zeros=True)
    return chosen
