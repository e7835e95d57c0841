"""HeritageCNN: five convolutions and three dense layers for 64×64 photographs of buildings.

Reference: data set of Llamas et al., 2017, doi:10.3390/app7100992.
"""

from typing import Any

import flax.linen as nn
import jax

from zoo.layers.composite import Activation, ConvNorm
from zoo.layers.normalization import BatchNorm, Norm
from zoo.layers.pooling import flatten, max_pool
from zoo.variant import Paper, Variant


class HeritageCNN(nn.Module):
    """3×3 convolutions of 32, 64, 128, 256, 512, each normalized and pooled; dense 1024, 512.

    Dropout stands before every dense layer. The first dense layer has 2,048 inputs on a
    64×64 image, which takes a pooling after each of the five convolutions.

    Attributes:
      num_classes: width of the output; 0: the 512 features of the last hidden layer.
      dropout: rate before every dense layer, in [0, 1).
      act: the activation; None: ReLU.
      norm: the normalization of the convolutions.
      dtype: type of the computation.

    Example:
      >>> import jax.numpy as jnp
      >>> jax.eval_shape(HeritageCNN().init_with_output, jax.random.key(0), jnp.ones((2, 64, 64, 3)))[0].shape
      (2, 10)
    """

    num_classes: int = 10
    dropout: float = 0.25
    act: Activation | None = None
    norm: Norm = BatchNorm()
    dtype: Any = None

    @nn.compact
    def features(self, images: jax.Array, train: bool = False) -> dict[str, jax.Array]:
        """Outputs of the stages by name, each before its pooling: (N, H, W, C) images, 32 pixels at least."""
        x, stages = images, dict[str, jax.Array]()
        for index, width in enumerate((32, 64, 128, 256, 512)):
            x = max_pool(x, 2) if index else x
            name = f"stage{index + 1}"
            x = stages[name] = ConvNorm(
                width,
                3,
                padding=1,
                use_bias=True,
                act=self.act or nn.relu,
                norm=self.norm,
                dtype=self.dtype,
                name=name,
            )(x, train)
        return stages

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> jax.Array:
        """(N, H, W, C) images → (N, num_classes) logits."""
        x = flatten(max_pool(self.features(images, train)["stage5"], 2))
        for index, width in enumerate((1024, 512), start=1):
            x = nn.Dropout(self.dropout, deterministic=not train, name=f"dropout{index}")(x)
            x = (self.act or nn.relu)(nn.Dense(width, dtype=self.dtype, name=f"dense{index}")(x))
        if not self.num_classes:
            return x
        x = nn.Dropout(self.dropout, deterministic=not train, name="dropout3")(x)
        return nn.Dense(self.num_classes, dtype=self.dtype, name="head")(x)


HERITAGE = Paper("Classification of Architectural Heritage Images", 2017, "doi:10.3390/app7100992")

VARIANTS = {"heritage_cnn": Variant(HeritageCNN, {}, HERITAGE, (64, 64, 3), note="pooling after all five convolutions")}
