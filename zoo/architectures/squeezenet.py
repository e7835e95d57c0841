"""SqueezeNet: AlexNet's accuracy with fifty times fewer weights, from 1×1 convolutions that squeeze.

Reference: Iandola et al., 2016, arXiv:1602.07360.
"""

import functools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from zoo.layers.composite import Activation, ConvNorm
from zoo.layers.convolutions import PointwiseConv
from zoo.layers.normalization import NoNorm, Norm
from zoo.layers.pooling import global_avg_pool, max_pool
from zoo.layers.residual import Stage
from zoo.variant import Paper, Variant


class Fire(nn.Module):
    """1×1 down to an eighth of the width, then half the width from 1×1 and half from 3×3, side by side.

    Attributes:
      features: output channels.
      strides: step of the squeezing convolution.
      act: the activation.
      norm: the normalization.
      dtype: type of the computation.

    Example:
      >>> block = Fire(128)
      >>> jax.eval_shape(block.init_with_output, jax.random.key(0), jnp.ones((1, 8, 8, 96)))[0].shape
      (1, 8, 8, 128)
    """

    features: int
    strides: int = 1
    act: Activation = nn.relu
    norm: Norm = NoNorm()
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """(N, H, W, C) → (N, ceil(H / strides), ceil(W / strides), features)."""
        conv = functools.partial(ConvNorm, use_bias=True, act=self.act, norm=self.norm, dtype=self.dtype)
        x = conv(self.features // 8, 1, self.strides, name="squeeze")(x, train)
        ones = conv(self.features // 2, 1, name="expand1x1")(x, train)
        threes = conv(self.features // 2, 3, padding=1, name="expand3x3")(x, train)
        return jnp.concatenate([ones, threes], axis=-1)


class SqueezeNet(nn.Module):
    """Stem, stages of Fire modules with 3×3 max pooling before each, a convolution to the classes, their mean.

    Attributes:
      stages: features of each Fire module of each stage.
      stem_features, stem_kernel_size: of the first convolution, which has stride 2.
      dropout: rate before the head, in [0, 1).
      num_classes: width of the output; 0: the pooled features.
      act: the activation everywhere, that of the class maps included; None: ReLU.
      norm: the normalization everywhere; none in the paper.
      dtype: type of the computation.

    Example:
      >>> model = SqueezeNet(((64,), (128,)), num_classes=10)
      >>> jax.eval_shape(model.init_with_output, jax.random.key(0), jnp.ones((2, 32, 32, 3)))[0].shape
      (2, 10)
    """

    stages: tuple[tuple[int, ...], ...]
    stem_features: int = 64
    stem_kernel_size: int = 3
    dropout: float = 0.5
    num_classes: int = 1000
    act: Activation | None = None
    norm: Norm = NoNorm()
    dtype: Any = None

    @nn.compact
    def features(self, images: jax.Array, train: bool = False) -> dict[str, jax.Array]:
        """Outputs of the stages by name, `stage1` first: (N, H, W, C) images, 17 or 21 pixels at least."""
        shared = {"act": self.act or nn.relu, "norm": self.norm, "dtype": self.dtype}
        x = ConvNorm(self.stem_features, self.stem_kernel_size, 2, 0, use_bias=True, name="stem", **shared)(
            images, train
        )
        stages = dict[str, jax.Array]()
        for index, widths in enumerate(self.stages):
            name = f"stage{index + 1}"
            blocks = [functools.partial(Fire, width, **shared) for width in widths]
            x = stages[name] = Stage(blocks, name=name)(max_pool(x, 3, 2, ceil_mode=True), train)
        return stages

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> jax.Array:
        """(N, H, W, C) images → (N, num_classes) logits."""
        *_, x = self.features(images, train).values()
        if not self.num_classes:
            return global_avg_pool(x)
        x = nn.Dropout(self.dropout, deterministic=not train, name="dropout")(x)
        x = PointwiseConv(self.num_classes, dtype=self.dtype, name="head")(x)
        return global_avg_pool((self.act or nn.relu)(x))


PAPER = Paper(
    "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and <0.5MB model size", 2016, "arXiv:1602.07360"
)

VARIANTS = {
    "squeezenet1_0": Variant(
        SqueezeNet,
        {
            "stages": ((128, 128, 256), (256, 384, 384, 512), (512,)),
            "stem_features": 96,
            "stem_kernel_size": 7,
        },
        PAPER,
        top1=58.092,
    ),
    "squeezenet1_1": Variant(
        SqueezeNet,
        {"stages": ((128, 128), (256, 256), (384, 384, 512, 512))},
        PAPER,
        top1=58.178,
        note="the authors' later release: earlier pooling, 2.4 times less computation",
    ),
}
