"""The blueprint that most early CNNs follow: [[conv-act]×n-pool]×m-[dense-act-dropout]×k.

With `convs` and `kernel_size` free it answers what a few large filters buy against many
small ones: three layers of 7×7 see 19 pixels, seven layers of 3×3 see 15.
"""

import functools
from typing import Any

import flax.linen as nn
import jax

from zoo.layers.composite import Activation, ConvNorm
from zoo.layers.normalization import NoNorm, Norm
from zoo.layers.pooling import flatten, max_pool
from zoo.layers.residual import Stage
from zoo.variant import Paper, Variant


class BlueprintCNN(nn.Module):
    """Stages of equal convolutions with 2×2 max pooling after each, then dense layers.

    Attributes:
      widths: features of each stage; their number is m.
      convs: convolutions a stage, n.
      kernel_size: of every convolution.
      dense: units of each dense layer; their number is k.
      dropout: rate after each dense layer, in [0, 1).
      num_classes: width of the output; 0: the last dense layer.
      act: the activation; None: ReLU.
      norm: the normalization of the convolutions; none by default.
      dtype: type of the computation.

    Example:
      >>> import jax.numpy as jnp
      >>> model = BlueprintCNN(widths=(8,), convs=3, kernel_size=7, dense=())
      >>> jax.eval_shape(model.init_with_output, jax.random.key(0), jnp.ones((2, 32, 32, 3)))[0].shape
      (2, 10)
    """

    widths: tuple[int, ...] = (32, 64, 128)
    convs: int = 2
    kernel_size: int = 3
    dense: tuple[int, ...] = (256,)
    dropout: float = 0.5
    num_classes: int = 10
    act: Activation | None = None
    norm: Norm = NoNorm()
    dtype: Any = None

    @nn.compact
    def features(self, images: jax.Array, train: bool = False) -> dict[str, jax.Array]:
        """Outputs of the stages by name, each before its pooling: (N, H, W, C) images."""

        x, stages = images, dict[str, jax.Array]()
        for index, width in enumerate(self.widths):
            x = max_pool(x, 2) if index else x
            conv = functools.partial(
                ConvNorm,
                width,
                self.kernel_size,
                use_bias=True,
                act=self.act or nn.relu,
                norm=self.norm,
                dtype=self.dtype,
            )
            name = f"stage{index + 1}"
            x = stages[name] = Stage((conv,) * self.convs, name=name)(x, train)
        return stages

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> jax.Array:
        """(N, H, W, C) images → (N, num_classes) logits."""
        *_, x = self.features(images, train).values()
        x = flatten(max_pool(x, 2))
        for index, width in enumerate(self.dense, start=1):
            x = (self.act or nn.relu)(nn.Dense(width, dtype=self.dtype, name=f"dense{index}")(x))
            x = nn.Dropout(self.dropout, deterministic=not train, name=f"dropout{index}")(x)
        return nn.Dense(self.num_classes, dtype=self.dtype, name="head")(x) if self.num_classes else x


ALEXNET = Paper("ImageNet Classification with Deep Convolutional Neural Networks", 2012, "NeurIPS 2012")

VARIANTS = {"blueprint_cnn": Variant(BlueprintCNN, {}, ALEXNET, (32, 32, 3), note="the textbook pattern, n=2 m=3 k=1")}
