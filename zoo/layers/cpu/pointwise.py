"""The 1×1 convolution without padding: one matrix product over all positions.

The native form takes 1.0 to 2.1 times as long forward, 1.3 to 2.6 times with both gradients.
"""

import jax
import jax.numpy as jnp

from zoo.layers.native import Ints, Settings, accumulator


def applies(images: Ints, kernel: Ints, settings: Settings) -> bool:
    """Whether a kernel of this shape has one tap, in one group without padding."""
    return settings.groups == 1 and set(kernel[:-2]) == {1} and not settings.padded


def form(x: jax.Array, kernel: jax.Array, settings: Settings) -> jax.Array:
    """Compute the convolution as a matrix product."""
    inputs, outputs = kernel.shape[-2:]
    x = x[(slice(None), *(slice(None, None, s) for s in settings.strides))]
    y = jnp.matmul(x.reshape(-1, inputs), kernel.reshape(inputs, outputs), preferred_element_type=accumulator(x.dtype))
    return y.astype(x.dtype).reshape(*x.shape[:-1], outputs)
