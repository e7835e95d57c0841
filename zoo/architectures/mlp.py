"""The multilayer perceptron: no weights are shared, so it is the control for the gain from convolution.

Reference: Rumelhart, Hinton & Williams, 1986, doi:10.1038/323533a0; the widths are those of
LeNet-300-100, LeCun et al., 1998, doi:10.1109/5.726791.
"""

from typing import Any

import flax.linen as nn
import jax

from zoo.layers.composite import Activation
from zoo.layers.normalization import NoNorm, Norm
from zoo.layers.pooling import flatten
from zoo.variant import Paper, Variant


class MLP(nn.Module):
    """All pixels in one vector, then dense layers.

    Attributes:
      widths: units of each hidden layer.
      num_classes: width of the output; 0: the last hidden layer.
      act: the activation; None: ReLU.
      norm: the normalization of every hidden layer, before its activation; none by default.
      dtype: type of the computation.

    Example:
      >>> import jax.numpy as jnp
      >>> model = MLP((16,), num_classes=3)
      >>> jax.eval_shape(model.init_with_output, jax.random.key(0), jnp.ones((2, 8, 8, 1)))[0].shape
      (2, 3)
    """

    widths: tuple[int, ...] = (300, 100)
    num_classes: int = 10
    act: Activation | None = None
    norm: Norm = NoNorm()
    dtype: Any = None

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> jax.Array:
        """(N, H, W, C) images → (N, num_classes) logits."""
        act = self.act or nn.relu
        x = flatten(images)
        for index, width in enumerate(self.widths, start=1):
            x = nn.Dense(width, dtype=self.dtype, name=f"dense{index}")(x)
            x = act(self.norm(x, train=train, name=f"norm{index}", dtype=self.dtype))
        return nn.Dense(self.num_classes, dtype=self.dtype, name="head")(x) if self.num_classes else x


LENET = Paper("Gradient-Based Learning Applied to Document Recognition", 1998, "doi:10.1109/5.726791")

VARIANTS = {"mlp": Variant(MLP, {}, LENET, (32, 32, 1), note="LeNet-300-100's widths, ReLU")}
