"""EfficientNet: depth, width and resolution scaled together; EfficientNet-Lite, and EfficientNetV2 with fused blocks.

References: Tan & Le, 2019, arXiv:1905.11946; Tan & Le, 2021, arXiv:2104.00298.
"""

import functools
import math
from typing import Any, NamedTuple

import flax.linen as nn
import jax

from zoo.layers.arithmetic import Padding, round_channels
from zoo.layers.attention import SqueezeExcite
from zoo.layers.composite import Activation, ConvNorm
from zoo.layers.inverted import FusedInvertedResidual, InvertedResidual
from zoo.layers.normalization import BatchNorm, Norm
from zoo.layers.pooling import global_avg_pool
from zoo.layers.residual import Stage
from zoo.variant import Paper, Variant


class Row(NamedTuple):
    """Equal blocks in a row, as the papers' tables list them.

    Attributes:
      expansion: hidden channels for each channel of the input.
      kernel_size: of the spatial convolution.
      features: output channels.
      blocks: how many.
      fused: one standard convolution instead of 1×1 and depthwise, without squeeze-excite.
    """

    expansion: int
    kernel_size: int
    features: int
    blocks: int
    fused: bool = False


Stages = tuple[tuple[Row, ...], ...]

# Rows of each stage; every stage but the first halves the image.
B: Stages = (
    (Row(1, 3, 16, 1),),
    (Row(6, 3, 24, 2),),
    (Row(6, 5, 40, 2),),
    (Row(6, 3, 80, 3), Row(6, 5, 112, 3)),
    (Row(6, 5, 192, 4), Row(6, 3, 320, 1)),
)
V2_S: Stages = (
    (Row(1, 3, 24, 2, fused=True),),
    (Row(4, 3, 48, 4, fused=True),),
    (Row(4, 3, 64, 4, fused=True),),
    (Row(4, 3, 128, 6), Row(6, 3, 160, 9)),
    (Row(6, 3, 256, 15),),
)
V2_M: Stages = (
    (Row(1, 3, 24, 3, fused=True),),
    (Row(4, 3, 48, 5, fused=True),),
    (Row(4, 3, 80, 5, fused=True),),
    (Row(4, 3, 160, 7), Row(6, 3, 176, 14)),
    (Row(6, 3, 304, 18), Row(6, 3, 512, 5)),
)
V2_L: Stages = (
    (Row(1, 3, 32, 4, fused=True),),
    (Row(4, 3, 64, 7, fused=True),),
    (Row(4, 3, 96, 7, fused=True),),
    (Row(4, 3, 192, 10), Row(6, 3, 224, 19)),
    (Row(6, 3, 384, 25), Row(6, 3, 640, 7)),
)


def _lite(width: float, depth: float) -> Stages:
    """The rows of EfficientNet-Lite: widths scaled, depths too but in the first and the last row."""
    ends = (B[0][0], B[-1][-1])
    return tuple(
        tuple(
            row._replace(
                features=round_channels(row.features * width),
                blocks=row.blocks if row in ends else math.ceil(row.blocks * depth),
            )
            for row in rows
        )
        for rows in B
    )


class EfficientNet(nn.Module):
    """Stem, stages of inverted residuals with squeeze-excite, a 1×1 convolution, mean over space, linear head.

    Attributes:
      stages: rows of each stage.
      stem: features of the first convolution.
      width: factor on all widths.
      depth: factor on the number of blocks of each row.
      drop_path: probability that training skips the last block's branch; it grows linearly from 0 at the first.
      dropout: rate before the head, in [0, 1).
      num_classes: width of the output; 0: the pooled features.
      act: the activation everywhere but in the gates; None: SiLU.
      norm: the normalization everywhere.
      dtype: type of the computation.
      squeeze: inner width of the gates as a share of the block's input; 0: blocks without gates.
      padding: of the spatial convolutions; None: symmetric, as in PyTorch; `"SAME"`: TensorFlow's.

    Example:
      >>> import jax.numpy as jnp
      >>> model = EfficientNet(B[:2], stem=8, num_classes=10)
      >>> jax.eval_shape(model.init_with_output, jax.random.key(0), jnp.ones((2, 64, 64, 3)))[0].shape
      (2, 10)
    """

    stages: Stages = B
    stem: int = 32
    width: float = 1.0
    depth: float = 1.0
    drop_path: float = 0.2
    dropout: float = 0.2
    num_classes: int = 1000
    act: Activation | None = None
    norm: Norm = BatchNorm()
    dtype: Any = None
    squeeze: float = 0.25
    padding: Padding | None = None

    def _conv(self, name: str, features: int, kernel_size: int, strides: int = 1) -> ConvNorm:
        return ConvNorm(
            round_channels(features * self.width),
            kernel_size,
            strides,
            kernel_size // 2 if self.padding is None else self.padding,
            act=self.act or nn.silu,
            norm=self.norm,
            dtype=self.dtype,
            name=name,
        )

    def _block(self, row: Row, inputs: int, drop_path: float) -> functools.partial:
        act = self.act or nn.silu
        width = max(1, int(inputs * self.squeeze))
        gate = functools.partial(SqueezeExcite, width=width, act=act, dtype=self.dtype)
        return functools.partial(
            FusedInvertedResidual if row.fused else InvertedResidual,
            round_channels(row.features * self.width),
            inputs * row.expansion,
            row.kernel_size,
            attention=gate if self.squeeze and not row.fused else None,
            drop_path=drop_path,
            act=act,
            norm=self.norm,
            dtype=self.dtype,
            padding=self.padding,
        )

    @nn.compact
    def features(self, images: jax.Array, train: bool = False) -> dict[str, jax.Array]:
        """Outputs of the stages by name, `stage1` first: (N, H, W, C) images, any H and W."""
        x, stages = self._conv("stem", self.stem, 3, 2)(images, train), dict[str, jax.Array]()
        plan = [[row for row in rows for _ in range(math.ceil(row.blocks * self.depth))] for rows in self.stages]
        total, done, width = sum(map(len, plan)), 0, x.shape[-1]
        for index, rows in enumerate(plan):
            blocks = []
            for row in rows:
                blocks.append(self._block(row, width, self.drop_path * done / total))
                done, width = done + 1, round_channels(row.features * self.width)
            name = f"stage{index + 1}"
            x = stages[name] = Stage(blocks, strides=2 if index else 1, name=name)(x, train)
        return stages

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> jax.Array:
        """(N, H, W, C) images → (N, num_classes) logits."""
        *_, x = self.features(images, train).values()
        x = global_avg_pool(self._conv("final", 1280, 1)(x, train))
        if not self.num_classes:
            return x
        x = nn.Dropout(self.dropout, deterministic=not train, name="dropout")(x)
        return nn.Dense(self.num_classes, dtype=self.dtype, name="head")(x)


PAPER = Paper("EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", 2019, "arXiv:1905.11946")
PAPER_V2 = Paper("EfficientNetV2: Smaller Models and Faster Training", 2021, "arXiv:2104.00298")


def _b(size: int, width: float, depth: float, dropout: float, top1: float, **fields) -> Variant:
    fields = {"width": width, "depth": depth, "dropout": dropout} | fields
    note = (
        "symmetric padding and the batch-norm constants of torchvision; TensorFlow pads at the end, with epsilon 1e-3"
    )
    return Variant(EfficientNet, fields, PAPER, (size, size, 3), top1, note)


def _v2(size: int, stages: Stages, dropout: float, top1: float, **fields) -> Variant:
    fields = {"stages": stages, "dropout": dropout, "norm": BatchNorm(epsilon=1e-3)} | fields
    note = "symmetric padding as in torchvision; TensorFlow pads at the end"
    return Variant(EfficientNet, fields, PAPER_V2, (size, size, 3), top1, note)


_TENSORFLOW = BatchNorm(epsilon=1e-3, momentum=0.99)


def _lite_variant(size: int, width: float, depth: float, dropout: float, top1: float) -> Variant:
    fields = {"stages": _lite(width, depth), "dropout": dropout, "act": nn.relu6, "norm": _TENSORFLOW}
    fields |= {"squeeze": 0.0, "padding": "SAME"}
    note = (
        "no squeeze-excite, ReLU6, stem and final convolution of all sizes alike, TensorFlow's padding; "
        "the accuracy is TensorFlow's, not measured here"
    )
    return Variant(EfficientNet, fields, PAPER, (size, size, 3), top1, note)


VARIANTS = {
    "efficientnet_b0": _b(224, 1.0, 1.0, 0.2, 77.692),
    "efficientnet_b1": _b(240, 1.0, 1.1, 0.2, 78.642),
    "efficientnet_b2": _b(288, 1.1, 1.2, 0.3, 80.608),
    "efficientnet_b3": _b(300, 1.2, 1.4, 0.3, 82.008),
    "efficientnet_b4": _b(380, 1.4, 1.8, 0.4, 83.384),
    "efficientnet_b5": _b(456, 1.6, 2.2, 0.4, 83.444, norm=_TENSORFLOW),
    "efficientnet_b6": _b(528, 1.8, 2.6, 0.5, 84.008, norm=_TENSORFLOW),
    "efficientnet_b7": _b(600, 2.0, 3.1, 0.5, 84.122, norm=_TENSORFLOW),
    "efficientnet_lite0": _lite_variant(224, 1.0, 1.0, 0.2, 75.1),
    "efficientnet_lite1": _lite_variant(240, 1.0, 1.1, 0.2, 76.7),
    "efficientnet_lite2": _lite_variant(260, 1.1, 1.2, 0.3, 77.6),
    "efficientnet_v2_s": _v2(384, V2_S, 0.2, 84.228, stem=24),
    "efficientnet_v2_m": _v2(480, V2_M, 0.3, 85.112, stem=24),
    "efficientnet_v2_l": _v2(480, V2_L, 0.4, 85.808),
}
