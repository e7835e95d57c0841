"""The position-sensitive convolution: coordinates appended as channels."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from zoo.layers.arithmetic import Padding, Sizes, per_axis
from zoo.layers.convolutions import Conv


def add_coordinates(x: jax.Array, centred: bool = False, radius: bool = False) -> jax.Array:
    r"""Append each pixel's position as channels: row :math:`i / H` and column :math:`j / W`, in [0, 1).

    Args:
      x: (..., H, W, C).
      centred: count from the image's centre instead, :math:`2 i / (H - 1) - 1` in [-1, 1].
      radius: also append the distance from the centre, 0 there and √2 in the corners.

    Returns:
      (..., H, W, C + 2), or C + 3 with the radius; row, column, radius.

    Raises:
      ValueError: fewer than three axes.

    Example:
      >>> add_coordinates(jnp.zeros((2, 2, 1)))[..., 1].tolist()
      [[0.0, 0.0], [0.5, 0.5]]

    Reference: Liu et al., 2018, arXiv:1807.03247.
    """
    if x.ndim < 3:
        raise ValueError(f"an input of shape {x.shape}: expected (..., H, W, C)")
    sizes = x.shape[-3:-1]
    middle = [np.linspace(-1, 1, size) if size > 1 else np.zeros(1) for size in sizes]
    axes = middle if centred else [np.arange(size) / size for size in sizes]
    channels = list(np.meshgrid(*axes, indexing="ij"))
    if radius:
        channels.append(np.hypot(middle[0][:, None], middle[1][None, :]))
    if not jnp.issubdtype(x.dtype, jnp.inexact):
        x = x.astype(jnp.float32)  # whole numbers, such as the bytes of an image, hold no fraction
    where = jnp.asarray(np.stack(channels, axis=-1), x.dtype)
    return jnp.concatenate([x, jnp.broadcast_to(where, (*x.shape[:-1], len(channels)))], axis=-1)


class CoordConv(nn.Module):
    """A convolution that also reads its position: `add_coordinates`, then `Conv`.

    It breaks the equivariance to translation on purpose, for answers that are a position.

    Attributes:
      features, kernel_size, strides, padding, dilation, use_bias: those of `Conv`, over images.
      centred, radius: those of `add_coordinates`.
      dtype: type of the computation.

    Example:
      >>> layer = CoordConv(16, 3)
      >>> jax.eval_shape(layer.init_with_output, jax.random.key(0), jnp.ones((1, 8, 8, 3)))[0].shape
      (1, 8, 8, 16)

    Reference: Liu et al., 2018, arXiv:1807.03247.
    """

    features: int
    kernel_size: Sizes
    strides: Sizes = 1
    padding: Padding = "SAME"
    dilation: Sizes = 1
    use_bias: bool = True
    centred: bool = False
    radius: bool = False
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """(*batch, H, W, C_in) → (*batch, *output sizes, features)."""
        return Conv(
            self.features,
            per_axis(self.kernel_size, 2, "kernel_size"),
            self.strides,
            self.padding,
            self.dilation,
            use_bias=self.use_bias,
            dtype=self.dtype,
            name="conv",
        )(add_coordinates(x, self.centred, self.radius))
