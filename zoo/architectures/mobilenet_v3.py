"""MobileNetV3: inverted residuals with squeeze-excite and hard swish, searched for and then trimmed by hand.

Reference: Howard et al., 2019, arXiv:1905.02244.
"""

import functools
from typing import Any, NamedTuple

import flax.linen as nn
import jax

from zoo.layers.arithmetic import round_channels
from zoo.layers.attention import SqueezeExcite
from zoo.layers.composite import Activation, ConvNorm
from zoo.layers.inverted import InvertedResidual
from zoo.layers.normalization import BatchNorm, Norm
from zoo.layers.pooling import global_avg_pool
from zoo.layers.residual import Stage
from zoo.variant import Paper, Variant


class Row(NamedTuple):
    """One block, as the paper's tables 1 and 2 list it.

    Attributes:
      kernel_size: of the depthwise convolution.
      hidden: channels inside ("exp size").
      features: output channels.
      squeeze: squeeze-excite after the depthwise convolution.
      hard_swish: the activation; else ReLU.
    """

    kernel_size: int
    hidden: int
    features: int
    squeeze: bool
    hard_swish: bool


Stages = tuple[tuple[int, tuple[Row, ...]], ...]

# (strides of the first block, blocks) of each stage.
LARGE: Stages = (
    (1, (Row(3, 16, 16, False, False),)),
    (2, (Row(3, 64, 24, False, False), Row(3, 72, 24, False, False))),
    (2, (Row(5, 72, 40, True, False), *(Row(5, 120, 40, True, False),) * 2)),
    (
        2,
        (
            Row(3, 240, 80, False, True),
            Row(3, 200, 80, False, True),
            *(Row(3, 184, 80, False, True),) * 2,
            Row(3, 480, 112, True, True),
            Row(3, 672, 112, True, True),
        ),
    ),
    (2, (Row(5, 672, 160, True, True), *(Row(5, 960, 160, True, True),) * 2)),
)
# Stage 3 in two, so that its first block is a stage of its own: there LR-ASPP takes its fine features.
SPLIT: Stages = (*LARGE[:2], (2, LARGE[2][1][:1]), (1, LARGE[2][1][1:]), *LARGE[3:])
SMALL: Stages = (
    (2, (Row(3, 16, 16, True, False),)),
    (2, (Row(3, 72, 24, False, False), Row(3, 88, 24, False, False))),
    (
        2,
        (
            Row(5, 96, 40, True, True),
            *(Row(5, 240, 40, True, True),) * 2,
            Row(5, 120, 48, True, True),
            Row(5, 144, 48, True, True),
        ),
    ),
    (2, (Row(5, 288, 96, True, True), *(Row(5, 576, 96, True, True),) * 2)),
)


class MobileNetV3(nn.Module):
    """Stem, stages of inverted residuals, a 1×1 convolution, mean over space, a dense layer, linear head.

    Attributes:
      stages: (strides, rows) of each stage.
      hidden: units of the dense layer before the head.
      width: factor on all widths.
      dilated: the last stage keeps the resolution and spreads its taps by 2 instead, for dense prediction.
      dropout: rate before the head, in [0, 1).
      num_classes: width of the output; 0: the dense layer's output.
      act: the activation everywhere but in the gates; None: hard swish and ReLU as in the paper.
      norm: the normalization everywhere.
      dtype: type of the computation.

    Example:
      >>> import jax.numpy as jnp
      >>> model = MobileNetV3(SMALL, 1024, num_classes=10)
      >>> jax.eval_shape(model.init_with_output, jax.random.key(0), jnp.ones((2, 64, 64, 3)))[0].shape
      (2, 10)
    """

    stages: Stages = LARGE
    hidden: int = 1280
    width: float = 1.0
    dilated: bool = False
    dropout: float = 0.2
    num_classes: int = 1000
    act: Activation | None = None
    norm: Norm = BatchNorm(epsilon=1e-3, momentum=0.99)
    dtype: Any = None

    def _channels(self, features: int) -> int:
        return round_channels(features * self.width)

    def _block(self, row: Row, dilation: int) -> functools.partial:
        hidden = self._channels(row.hidden)
        attention = functools.partial(
            SqueezeExcite,
            width=round_channels(hidden // 4),
            act=self.act or nn.relu,
            gate=nn.hard_sigmoid,
            dtype=self.dtype,
        )
        return functools.partial(
            InvertedResidual,
            self._channels(row.features),
            hidden,
            row.kernel_size,
            dilation=dilation,
            attention=attention if row.squeeze else None,
            act=self.act or (nn.hard_swish if row.hard_swish else nn.relu),
            norm=self.norm,
            dtype=self.dtype,
        )

    def _conv(self, name: str, features: int, kernel_size: int, strides: int = 1) -> ConvNorm:
        act = self.act or nn.hard_swish
        padding = kernel_size // 2
        return ConvNorm(features, kernel_size, strides, padding, act=act, norm=self.norm, dtype=self.dtype, name=name)

    @nn.compact
    def features(self, images: jax.Array, train: bool = False) -> dict[str, jax.Array]:
        """Outputs of the stages by name, `stage1` first: (N, H, W, C) images, any H and W."""
        x, stages = self._conv("stem", self._channels(16), 3, 2)(images, train), dict[str, jax.Array]()
        for index, (strides, rows) in enumerate(self.stages, start=1):
            dilation = 2 if self.dilated and index == len(self.stages) else 1
            blocks = [self._block(row, dilation) for row in rows]
            name = f"stage{index}"
            x = stages[name] = Stage(blocks, 1 if dilation > 1 else strides, name=name)(x, train)
        return stages

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> jax.Array:
        """(N, H, W, C) images → (N, num_classes) logits."""
        *_, x = self.features(images, train).values()
        x = global_avg_pool(self._conv("final", 6 * x.shape[-1], 1)(x, train))
        x = (self.act or nn.hard_swish)(nn.Dense(self._channels(self.hidden), dtype=self.dtype, name="dense")(x))
        if not self.num_classes:
            return x
        x = nn.Dropout(self.dropout, deterministic=not train, name="dropout")(x)
        return nn.Dense(self.num_classes, dtype=self.dtype, name="head")(x)


PAPER = Paper("Searching for MobileNetV3", 2019, "arXiv:1905.02244")

VARIANTS = {
    "mobilenet_v3_small": Variant(MobileNetV3, {"stages": SMALL, "hidden": 1024}, PAPER, top1=67.668),
    "mobilenet_v3_large": Variant(MobileNetV3, {}, PAPER, top1=74.042),
    "mobilenet_v3_large_dilated": Variant(
        MobileNetV3,
        {"stages": SPLIT, "dilated": True},
        PAPER,
        note="the backbone of LR-ASPP: weights of mobilenet_v3_large, the last stage dilated instead of strided",
    ),
}
