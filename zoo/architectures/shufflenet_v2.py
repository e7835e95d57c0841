"""ShuffleNetV2: half of the channels pass a block untouched, and a shuffle mixes the halves.

Reference: Ma et al., 2018, arXiv:1807.11164.
"""

import functools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from zoo.layers.composite import Activation, ConvNorm
from zoo.layers.convolutions import channel_shuffle
from zoo.layers.normalization import BatchNorm, Norm
from zoo.layers.pooling import global_avg_pool, max_pool
from zoo.layers.residual import Stage
from zoo.variant import Paper, Variant


class ShuffleUnit(nn.Module):
    """Depthwise-separable branches side by side, concatenated and shuffled.

    With stride 1 the input is split: one half passes untouched, the other goes through 1×1,
    depthwise 3×3, 1×1. With a larger stride both branches see the whole input, and the first
    is depthwise 3×3, 1×1.

    Attributes:
      features: output channels, an even number; with stride 1 those of the input.
      strides: step of the depthwise convolutions.
      act: the activation.
      norm: the normalization.
      dtype: type of the computation.

    Example:
      >>> block = ShuffleUnit(32, strides=2)
      >>> jax.eval_shape(block.init_with_output, jax.random.key(0), jnp.ones((1, 8, 8, 16)))[0].shape
      (1, 4, 4, 32)
    """

    features: int
    strides: int = 1
    act: Activation = nn.relu
    norm: Norm = BatchNorm()
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """(N, H, W, C) → (N, ceil(H / strides), ceil(W / strides), features)."""
        half = self.features // 2

        def pointwise(name: str) -> ConvNorm:
            return ConvNorm(half, 1, act=self.act, norm=self.norm, dtype=self.dtype, name=name)

        def depthwise(name: str, x: jax.Array) -> jax.Array:
            channels = x.shape[-1]
            return ConvNorm(
                channels,
                3,
                self.strides,
                1,
                groups=channels,
                act=None,
                norm=self.norm,
                dtype=self.dtype,
                name=name,
            )(x, train)

        if self.strides == 1:
            around, x = jnp.split(x, 2, axis=-1)
        else:
            around = pointwise("around_project")(depthwise("around_depthwise", x), train)
        x = depthwise("depthwise", pointwise("expand")(x, train))
        return channel_shuffle(jnp.concatenate([around, pointwise("project")(x, train)], axis=-1), 2)


class ShuffleNetV2(nn.Module):
    """Stem, max pooling, stages of shuffle units, a 1×1 convolution, mean over space, linear head.

    Attributes:
      widths: features of each stage, the paper's Stage2 to Stage4.
      final: features of the last convolution.
      blocks: number of units of each stage.
      num_classes: width of the output; 0: the pooled features.
      act: the activation everywhere; None: ReLU.
      norm: the normalization everywhere.
      dtype: type of the computation.

    Example:
      >>> model = ShuffleNetV2((16, 32, 64), final=64, num_classes=10)
      >>> jax.eval_shape(model.init_with_output, jax.random.key(0), jnp.ones((2, 64, 64, 3)))[0].shape
      (2, 10)
    """

    widths: tuple[int, ...]
    final: int = 1024
    blocks: tuple[int, ...] = (4, 8, 4)
    num_classes: int = 1000
    act: Activation | None = None
    norm: Norm = BatchNorm()
    dtype: Any = None

    @nn.compact
    def features(self, images: jax.Array, train: bool = False) -> dict[str, jax.Array]:
        """Outputs of the stages by name, `stage1` first: (N, H, W, C) images, any H and W."""
        shared = {"act": self.act or nn.relu, "norm": self.norm, "dtype": self.dtype}
        x = max_pool(ConvNorm(24, 3, 2, 1, name="stem", **shared)(images, train), 3, 2, padding=1)
        stages = dict[str, jax.Array]()
        for index, (width, count) in enumerate(zip(self.widths, self.blocks, strict=True), start=1):
            unit = functools.partial(ShuffleUnit, width, **shared)
            name = f"stage{index}"
            x = stages[name] = Stage((unit,) * count, strides=2, name=name)(x, train)
        return stages

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> jax.Array:
        """(N, H, W, C) images → (N, num_classes) logits."""
        *_, x = self.features(images, train).values()
        act = self.act or nn.relu
        x = ConvNorm(self.final, 1, act=act, norm=self.norm, dtype=self.dtype, name="final")(x, train)
        x = global_avg_pool(x)
        return nn.Dense(self.num_classes, dtype=self.dtype, name="head")(x) if self.num_classes else x


PAPER = Paper("ShuffleNet V2: Practical Guidelines for Efficient CNN Architecture Design", 2018, "arXiv:1807.11164")

VARIANTS = {
    "shufflenet_v2_x0_5": Variant(ShuffleNetV2, {"widths": (48, 96, 192)}, PAPER, top1=60.552),
    "shufflenet_v2_x1_0": Variant(ShuffleNetV2, {"widths": (116, 232, 464)}, PAPER, top1=69.362),
    "shufflenet_v2_x1_5": Variant(ShuffleNetV2, {"widths": (176, 352, 704)}, PAPER, top1=72.996),
    "shufflenet_v2_x2_0": Variant(ShuffleNetV2, {"widths": (244, 488, 976), "final": 2048}, PAPER, top1=76.230),
}
