"""Folded batch normalization: the scale and bias that remain once its statistics are part of the weights."""

import dataclasses
from typing import Any

import flax.linen as nn
import jax


@dataclasses.dataclass(frozen=True)
class FoldedNorm:
    r"""A bias for each channel, and a scale where no convolution before it can absorb one.

    With fixed statistics batch normalization is an affine map of each channel,
    :math:`y = a x + b` with :math:`a = \gamma / \sqrt{\sigma^2 + \epsilon}` and :math:`b = \beta - a \mu`.

    Attributes:
      scaled: paths of the layers that keep their scale, such as `"stage1/block1/norm1"`.
    """

    scaled: tuple[str, ...] = ()

    def __call__(self, x, *, train, name, dtype=None, scale_init=nn.initializers.ones_init()):
        """Shift (…, C) features; the variables are `bias` and, at `scaled` paths, `scale`."""
        return _Affine(self.scaled, scale_init, dtype, name=name)(x)


class _Affine(nn.Module):
    scaled: tuple[str, ...]
    scale_init: nn.initializers.Initializer
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        shape = (1,) * (x.ndim - 1) + (-1,)
        if "/".join(self.path) in self.scaled:
            x, scale = nn.dtypes.promote_dtype(x, self.param("scale", self.scale_init, x.shape[-1:]), dtype=self.dtype)
            x = x * scale.reshape(shape)
        zeros = nn.initializers.zeros_init()
        x, bias = nn.dtypes.promote_dtype(x, self.param("bias", zeros, x.shape[-1:]), dtype=self.dtype)
        return x + bias.reshape(shape)
