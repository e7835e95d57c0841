"""LeNet-5 in its textbook form: every map of C3 reads every map of S2.

Reference: LeCun et al., 1998, doi:10.1109/5.726791.
"""

from typing import Any

import flax.linen as nn
import jax

from zoo.layers.composite import Activation, ConvNorm
from zoo.layers.normalization import NoNorm, Norm
from zoo.layers.pooling import avg_pool, flatten
from zoo.variant import Paper, Variant


class LeNet5(nn.Module):
    """Two 5×5 convolutions, each followed by 2×2 averages, then dense layers of 120 and 84.

    Attributes:
      num_classes: width of the output; 0: the 84 features of F6.
      act: the activation; None: tanh.
      norm: the normalization of the convolutions; none in the paper.
      dtype: type of the computation.

    Example:
      >>> import jax.numpy as jnp
      >>> jax.eval_shape(LeNet5().init_with_output, jax.random.key(0), jnp.ones((2, 32, 32, 1)))[0].shape
      (2, 10)
    """

    num_classes: int = 10
    act: Activation | None = None
    norm: Norm = NoNorm()
    dtype: Any = None

    @nn.compact
    def features(self, images: jax.Array, train: bool = False) -> dict[str, jax.Array]:
        """Outputs of the two convolutions by name: (N, H, W, C) images, H and W at least 16."""
        x, stages = images, dict[str, jax.Array]()
        for name, width in (("stage1", 6), ("stage2", 16)):
            if stages:
                x = avg_pool(x, 2)
            x = stages[name] = ConvNorm(
                width,
                5,
                padding="VALID",
                use_bias=True,
                act=self.act or nn.tanh,
                norm=self.norm,
                dtype=self.dtype,
                name=name,
            )(x, train)
        return stages

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> jax.Array:
        """(N, H, W, C) images → (N, num_classes) logits."""
        act = self.act or nn.tanh
        x = flatten(avg_pool(self.features(images, train)["stage2"], 2))
        x = act(nn.Dense(120, dtype=self.dtype, name="dense1")(x))
        x = act(nn.Dense(84, dtype=self.dtype, name="dense2")(x))
        return nn.Dense(self.num_classes, dtype=self.dtype, name="head")(x) if self.num_classes else x


LENET = Paper("Gradient-Based Learning Applied to Document Recognition", 1998, "doi:10.1109/5.726791")

VARIANTS = {"lenet5": Variant(LeNet5, {}, LENET, (32, 32, 1), note="full C3, averages without weights")}
