"""The unshared (locally connected) convolution: a separate kernel for every position."""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp

from convzoo.checks import integer
from zoo.layers.arithmetic import Padding, Sizes
from zoo.layers.convolutions import Weighted, geometry, kernel_sizes
from zoo.layers.native import windows


def unshared_convolution(
    x: jax.Array,
    kernel: jax.Array,
    strides: Sizes = 1,
    padding: Padding = "SAME",
    dilation: Sizes = 1,
) -> jax.Array:
    r"""Cross-correlate with weights that differ from position to position.

    .. math:: y_{n,p,o} = \sum_{t,c} x_{n,\, S p + D t - P,\, c}\; k_{p,t,c,o}

    Args:
      x: (N, *spatial, C_in) images.
      kernel: (*output sizes, *kernel_size, C_in, C_out) weights.
      strides, padding, dilation: those of `convolution`.

    Returns:
      (N, *output sizes, C_out).

    Raises:
      ValueError: shapes that do not fit.

    Example:
      >>> unshared_convolution(jnp.ones((1, 4, 4, 3)), jnp.ones((2, 2, 3, 3, 3, 1)), padding="VALID").shape
      (1, 2, 2, 1)

    Reference: Taigman et al., 2014, DeepFace, doi:10.1109/CVPR.2014.220.
    """
    rank = x.ndim - 2
    if rank < 1 or kernel.ndim != 2 * rank + 2 or kernel.shape[-2] != x.shape[-1]:
        raise ValueError(
            f"images of shape {x.shape} and a kernel of shape {kernel.shape}: "
            "expected (N, *spatial, C_in) and (*output sizes, *kernel_size, C_in, C_out)"
        )
    kernel_size = kernel.shape[rank:-2]
    strides, pairs, dilation, sizes = geometry(x.shape[1:-1], kernel_size, strides, padding, dilation)
    if kernel.shape[:rank] != sizes:
        raise ValueError(
            f"a kernel of shape {kernel.shape} has weights for {kernel.shape[:rank]} positions, but there are {sizes}"
        )
    patches = jnp.stack(list(windows(x, kernel_size, strides, pairs, dilation)), axis=-2)
    patches = patches.reshape(*patches.shape[: rank + 1], -1)
    weights = kernel.reshape(*sizes, -1, kernel.shape[-1])
    return jnp.einsum("n...i,...io->n...o", patches, weights)


class UnsharedConv(Weighted):
    """A locally connected layer: a convolution whose weights differ at each position.

    For aligned images, where each place has its own meaning. The image's size is part of the layer.

    Attributes:
      features: output channels.
      kernel_size, strides, padding, dilation: those of `Conv`.
      use_bias: add one learned number to each output channel of each position.
      dtype, param_dtype, kernel_init, bias_init: those of `Weighted`; the kernel is
        (*output sizes, *kernel_size, C_in, features), by default scaled as one image position's kernel.

    Example:
      >>> layer = UnsharedConv(16, 3, padding="VALID")
      >>> jax.eval_shape(layer.init_with_output, jax.random.key(0), jnp.ones((1, 8, 8, 3)))[0].shape
      (1, 6, 6, 16)

    Reference: Taigman et al., 2014, DeepFace, doi:10.1109/CVPR.2014.220.
    """

    features: int  # type: ignore[misc]  # mypy takes the keyword-only field below for a positional one
    kernel_size: Sizes  # type: ignore[misc]
    strides: Sizes = 1
    padding: Padding = "SAME"
    dilation: Sizes = 1
    use_bias: bool = True
    kernel_init: nn.initializers.Initializer = dataclasses.field(
        default=nn.initializers.lecun_normal(batch_axis=(0, 1)), kw_only=True
    )

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """(*batch, *spatial, C_in) → (*batch, *output sizes, features)."""
        kernel_size = kernel_sizes(x, self.kernel_size)
        integer("features", self.features)
        rank = len(kernel_size)
        *_, sizes = geometry(x.shape[-rank - 1 : -1], kernel_size, self.strides, self.padding, self.dilation)
        return self._weigh(
            x,
            (*sizes, *kernel_size, x.shape[-1], self.features),
            (*sizes, self.features) if self.use_bias else None,
            lambda x, kernel: unshared_convolution(x, kernel, self.strides, self.padding, self.dilation),
            rank,
        )
