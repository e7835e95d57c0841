"""MobileNet: depthwise-separable convolutions throughout.

Reference: Howard et al., 2017, arXiv:1704.04861.
"""

import functools
from typing import Any

import flax.linen as nn
import jax

from zoo.layers.arithmetic import round_channels
from zoo.layers.composite import Activation, ConvNorm
from zoo.layers.normalization import BatchNorm, Norm
from zoo.layers.pooling import global_avg_pool
from zoo.layers.residual import Stage
from zoo.variant import Paper, Variant

# Features of the blocks, one tuple a stage; every stage but the first halves the image.
STAGES: tuple[tuple[int, ...], ...] = ((64,), (128,) * 2, (256,) * 2, (512,) * 6, (1024,) * 2)


class SeparableBlock(nn.Module):
    """A depthwise 3×3, then a 1×1 convolution, each with normalization and activation.

    Attributes:
      features: output channels.
      strides: step of the depthwise convolution.
      act: the activation.
      norm: the normalization.
      dtype: type of the computation.

    Example:
      >>> import jax.numpy as jnp
      >>> block = SeparableBlock(24, strides=2)
      >>> jax.eval_shape(block.init_with_output, jax.random.key(0), jnp.ones((1, 8, 8, 16)))[0].shape
      (1, 4, 4, 24)
    """

    features: int
    strides: int = 1
    act: Activation = nn.relu6
    norm: Norm = BatchNorm()
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """(N, H, W, C) → (N, ceil(H / strides), ceil(W / strides), features)."""
        shared = {"act": self.act, "norm": self.norm, "dtype": self.dtype}
        x = ConvNorm(x.shape[-1], 3, self.strides, 1, groups=x.shape[-1], name="depthwise", **shared)(x, train)
        return ConvNorm(self.features, 1, name="pointwise", **shared)(x, train)


class MobileNetV1(nn.Module):
    """Stem, stages of depthwise-separable blocks, mean over space, linear head.

    Attributes:
      stages: features of the blocks of each stage.
      width: factor on all widths, the paper's α.
      num_classes: width of the output; 0: the pooled features.
      act: the activation everywhere; None: ReLU6.
      norm: the normalization everywhere.
      dtype: type of the computation.

    Example:
      >>> import jax.numpy as jnp
      >>> model = MobileNetV1(width=0.25, num_classes=10)
      >>> jax.eval_shape(model.init_with_output, jax.random.key(0), jnp.ones((2, 64, 64, 3)))[0].shape
      (2, 10)
    """

    stages: tuple[tuple[int, ...], ...] = STAGES
    width: float = 1.0
    num_classes: int = 1000
    act: Activation | None = None
    norm: Norm = BatchNorm()
    dtype: Any = None

    @nn.compact
    def features(self, images: jax.Array, train: bool = False) -> dict[str, jax.Array]:
        """Outputs of the stages by name, `stage1` first: (N, H, W, C) images, any H and W."""
        shared = {"act": self.act or nn.relu6, "norm": self.norm, "dtype": self.dtype}
        x = ConvNorm(round_channels(32 * self.width), 3, 2, 1, name="stem", **shared)(images, train)
        stages = dict[str, jax.Array]()
        for index, widths in enumerate(self.stages):
            blocks = [
                functools.partial(SeparableBlock, round_channels(width * self.width), **shared) for width in widths
            ]
            name = f"stage{index + 1}"
            x = stages[name] = Stage(blocks, strides=2 if index else 1, name=name)(x, train)
        return stages

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> jax.Array:
        """(N, H, W, C) images → (N, num_classes) logits."""
        *_, x = self.features(images, train).values()
        x = global_avg_pool(x)
        return nn.Dense(self.num_classes, dtype=self.dtype, name="head")(x) if self.num_classes else x


PAPER = Paper(
    "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications", 2017, "arXiv:1704.04861"
)
NOTE = "ReLU6 and symmetric padding as in timm; the paper writes ReLU, TensorFlow pads at the end"

VARIANTS = {
    "mobilenet_v1": Variant(MobileNetV1, {}, PAPER, top1=75.39, note=NOTE),
    "mobilenet_v1_075": Variant(MobileNetV1, {"width": 0.75}, PAPER, note=NOTE),
    "mobilenet_v1_050": Variant(MobileNetV1, {"width": 0.5}, PAPER, note=NOTE),
    "mobilenet_v1_025": Variant(MobileNetV1, {"width": 0.25}, PAPER, note=NOTE),
}
