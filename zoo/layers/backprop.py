"""Backpropagation through a convolution, written out: its gradients are convolutions too."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from zoo.layers.arithmetic import Padding, Sizes, extent
from zoo.layers.convolutions import convolution, geometry


class ConvGradients(NamedTuple):
    """Gradients of a loss with respect to the operands of a convolution.

    Attributes:
      x: (N, *spatial, C_in), in the images.
      kernel: (*kernel_size, C_in, C_out), in the weights.
      bias: (C_out,), in the numbers added to the channels.
    """

    x: jax.Array
    kernel: jax.Array
    bias: jax.Array


def conv_gradients(
    x: jax.Array,
    kernel: jax.Array,
    cotangent: jax.Array,
    strides: Sizes = 1,
    padding: Padding = "SAME",
    dilation: Sizes = 1,
) -> ConvGradients:
    r"""Gradients of y = x ∗ k + b, from the gradient G of the loss in y.

    .. math::
       \frac{\partial L}{\partial k_{t,c,o}} = \sum_{n,p} x_{n, S p + D t - P, c}\, G_{n,p,o}, \qquad
       \frac{\partial L}{\partial x_{n,q,c}} = \sum_{t,o} \tilde G_{n, q + P - D t, o}\, k_{t,c,o}, \qquad
       \frac{\partial L}{\partial b_o} = \sum_{n,p} G_{n,p,o}

    with :math:`\tilde G` the gradient with S − 1 zeros between its pixels. The first is the
    images correlated with it; the second the full convolution of it with the flipped kernel.

    Args:
      x: (N, *spatial, C_in) images.
      kernel: (*kernel_size, C_in, C_out) weights.
      cotangent: (N, *output sizes, C_out), the gradient G.
      strides, padding, dilation: those of `convolution`.

    Returns:
      `ConvGradients`, equal to `jax.vjp` of the convolution.

    Raises:
      ValueError: shapes that do not fit.

    Example:
      >>> gradients = conv_gradients(jnp.ones((1, 4, 4, 3)), jnp.ones((3, 3, 3, 2)), jnp.ones((1, 4, 4, 2)))
      >>> gradients.kernel[1, 1, 0].tolist(), gradients.bias.tolist()
      ([16.0, 16.0], [16.0, 16.0])
    """
    if kernel.ndim != x.ndim or kernel.shape[-2] != x.shape[-1]:
        raise ValueError(
            f"images of shape {x.shape} and a kernel of shape {kernel.shape}: "
            "expected (N, *spatial, C_in) and (*kernel_size, C_in, C_out)"
        )
    kernel_size = kernel.shape[:-2]
    strides, pairs, dilation, sizes = geometry(x.shape[1:-1], kernel_size, strides, padding, dilation)
    expected = (x.shape[0], *sizes, kernel.shape[-1])
    if cotangent.shape != expected:
        raise ValueError(f"a cotangent of shape {cotangent.shape}: expected {expected}, the convolution's output")
    zero = jnp.zeros((), cotangent.dtype)
    spread = lax.pad(cotangent, zero, ((0, 0, 0), *((0, 0, s - 1) for s in strides), (0, 0, 0)))

    spans = [extent(k, d) for k, d in zip(kernel_size, dilation, strict=True)]
    reach = [(n - 1) * s + span for n, s, span in zip(sizes, strides, spans, strict=True)]
    margins = [(low, used - have - low) for (low, _), used, have in zip(pairs, reach, x.shape[1:-1], strict=True)]
    edges = ((0, 0, 0), *((low, high, 0) for low, high in margins), (0, 0, 0))

    # Images as channels, channels as images: a correlation over all positions for every pair of channels.
    images = jnp.moveaxis(lax.pad(x, zero, edges), -1, 0)
    images = jnp.moveaxis(images, 1, -1)
    weights = jnp.moveaxis(spread, 0, -2)
    in_kernel = jnp.moveaxis(convolution(images, weights, dilation, "VALID"), 0, -2)

    flipped = jnp.flip(kernel, range(len(kernel_size))).swapaxes(-1, -2)
    full = tuple((span - 1, span - 1) for span in spans)
    in_padded = convolution(spread, flipped, 1, full, dilation)
    in_x = lax.pad(in_padded, zero, ((0, 0, 0), *((-low, -high, 0) for low, high in margins), (0, 0, 0)))
    return ConvGradients(in_x, in_kernel, cotangent.sum(axis=range(cotangent.ndim - 1)))
