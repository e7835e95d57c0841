"""Residual networks for ImageNet and CIFAR, their plain controls, and the wider and grouped forms.

References: He et al., 2015, arXiv:1512.03385; Zagoruyko & Komodakis, 2016, arXiv:1605.07146;
Xie et al., 2016, arXiv:1611.05431; Hu et al., 2017, arXiv:1709.01507;
Dai et al., 2017, arXiv:1703.06211.
"""

import functools
from collections.abc import Callable
from typing import Any, Literal

import flax.linen as nn
import jax

from zoo.layers.attention import SqueezeExcite
from zoo.layers.composite import Activation, ConvNorm
from zoo.layers.convolutions import Conv
from zoo.layers.deformable import DeformableConv
from zoo.layers.normalization import BatchNorm, Norm
from zoo.layers.pooling import global_avg_pool, max_pool
from zoo.layers.residual import BasicBlock, BottleneckBlock, PlainBlock, Shortcut, Stage
from zoo.variant import Paper, Variant


class ResNet(nn.Module):
    """Stem, stages of blocks that halve the image and double the width, mean over space, linear head.

    Attributes:
      blocks: number of blocks of each stage.
      block: the block's class, from `zoo.layers.residual`.
      width: features of the first stage.
      groups, base_width: inner width of bottleneck blocks (ResNeXt, Wide ResNet).
      stem: `"imagenet"` (7×7 stride 2, then 3×3 max pooling stride 2) or `"cifar"` (3×3 stride 1).
      shortcut: `"projection"`, or `"pad"` for the parameter-free shortcut of the CIFAR networks.
      attention: a module class for every block's branch, with the fields of `SqueezeExcite`, or None.
      output_stride: the strides' product at the last stage; a stage that would go beyond it keeps its
        resolution and spreads its taps instead, its first block with the spacing of the stage before.
      deformable: number of last stages whose 3×3 convolutions are deformable.
      num_classes: width of the output; 0: the pooled features.
      act: the activation everywhere but in the gates; None: ReLU.
      norm: the normalization everywhere.
      dtype: type of the computation.

    Example:
      >>> import jax.numpy as jnp
      >>> model = ResNet((1, 1, 1), BasicBlock, width=8, stem="cifar", num_classes=10)
      >>> jax.eval_shape(model.init_with_output, jax.random.key(0), jnp.ones((2, 32, 32, 3)))[0].shape
      (2, 10)
    """

    blocks: tuple[int, ...]
    block: Callable[..., nn.Module] = BottleneckBlock
    width: int = 64
    groups: int = 1
    base_width: int = 64
    stem: Literal["imagenet", "cifar"] = "imagenet"
    shortcut: Shortcut = "projection"
    attention: Callable[..., nn.Module] | None = None
    output_stride: int = 32
    deformable: int = 0
    num_classes: int = 1000
    act: Activation | None = None
    norm: Norm = BatchNorm()
    dtype: Any = None

    @nn.compact
    def features(self, images: jax.Array, train: bool = False) -> dict[str, jax.Array]:
        """Outputs of the stages by name, `stage1` first: (N, H, W, C) images, any H and W."""
        act = self.act or nn.relu
        shared = {"act": act, "norm": self.norm, "dtype": self.dtype}
        if self.stem == "imagenet":
            x = ConvNorm(self.width, 7, 2, 3, name="stem", **shared)(images, train)
            x = max_pool(x, 3, 2, padding=1)
        else:
            x = ConvNorm(self.width, 3, 1, 1, name="stem", **shared)(images, train)
        attention = self.attention and functools.partial(self.attention, act=act, dtype=self.dtype)
        stages, dilation, stride = {}, 1, 4 if self.stem == "imagenet" else 1
        if self.output_stride < stride or self.output_stride.bit_count() != 1:
            raise ValueError(f"output_stride={self.output_stride}: expected a power of two, {stride} or more")
        for index, count in enumerate(self.blocks):
            block = functools.partial(
                self.block,
                self.width * 2**index,
                groups=self.groups,
                base_width=self.base_width,
                shortcut=self.shortcut,
                attention=attention,
                conv=DeformableConv if index >= len(self.blocks) - self.deformable else Conv,
                **shared,
            )
            first, strides = dilation, 2 if index else 1
            if stride * strides > self.output_stride:
                dilation, strides = dilation * strides, 1
            stride *= strides
            row = [functools.partial(block, dilation=first, late_dilation=dilation)]
            row += [functools.partial(block, dilation=dilation)] * (count - 1)
            name = f"stage{index + 1}"
            x = stages[name] = Stage(row, strides, name=name)(x, train)
        return stages

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> jax.Array:
        """(N, H, W, C) images → (N, num_classes) logits."""
        *_, x = self.features(images, train).values()
        x = global_avg_pool(x)
        return nn.Dense(self.num_classes, dtype=self.dtype, name="head")(x) if self.num_classes else x


RESNET = Paper("Deep Residual Learning for Image Recognition", 2015, "arXiv:1512.03385")
WIDE = Paper("Wide Residual Networks", 2016, "arXiv:1605.07146")
RESNEXT = Paper("Aggregated Residual Transformations for Deep Neural Networks", 2016, "arXiv:1611.05431")
SQUEEZE = Paper("Squeeze-and-Excitation Networks", 2017, "arXiv:1709.01507")
DEFORMABLE = Paper("Deformable Convolutional Networks", 2017, "arXiv:1703.06211")

_B50, _B101, _B152 = (3, 4, 6, 3), (3, 4, 23, 3), (3, 8, 36, 3)


def _cifar(depth: int, block: Callable[..., nn.Module], top1: float | None) -> Variant:
    fields = {"blocks": ((depth - 2) // 6,) * 3, "block": block, "width": 16, "stem": "cifar", "shortcut": "pad"}
    return Variant(ResNet, fields | {"num_classes": 10}, RESNET, (32, 32, 3), top1)


def _imagenet(blocks: tuple[int, ...], top1: float, paper: Paper = RESNET, **fields) -> Variant:
    return Variant(ResNet, {"blocks": blocks} | fields, paper, top1=top1)


VARIANTS = {
    "resnet18": _imagenet((2, 2, 2, 2), 69.758, block=BasicBlock),
    "resnet34": _imagenet(_B50, 73.314, block=BasicBlock),
    "resnet50": _imagenet(_B50, 76.130),
    "resnet101": _imagenet(_B101, 77.374),
    "resnet152": _imagenet(_B152, 78.312),
    "resnext50_32x4d": _imagenet(_B50, 77.618, RESNEXT, groups=32, base_width=4),
    "resnext101_32x8d": _imagenet(_B101, 79.312, RESNEXT, groups=32, base_width=8),
    "resnext101_64x4d": _imagenet(_B101, 83.246, RESNEXT, groups=64, base_width=4),
    "wide_resnet50_2": _imagenet(_B50, 78.468, WIDE, base_width=128),
    "wide_resnet101_2": _imagenet(_B101, 78.848, WIDE, base_width=128),
    "seresnet50": Variant(ResNet, {"blocks": _B50, "attention": SqueezeExcite}, SQUEEZE),
    "deformable_resnet50": Variant(
        ResNet,
        {"blocks": _B50, "deformable": 3},
        DEFORMABLE,
        note="deformable, not modulated, in stages 2 to 4, as the second paper (arXiv:1811.11168) advises",
    ),
    "resnet20": _cifar(20, BasicBlock, 91.25),
    "resnet32": _cifar(32, BasicBlock, 92.49),
    "resnet44": _cifar(44, BasicBlock, 92.83),
    "resnet56": _cifar(56, BasicBlock, 93.03),
    "resnet110": _cifar(110, BasicBlock, 93.39),
    "plain20": _cifar(20, PlainBlock, None),
    "plain56": _cifar(56, PlainBlock, None),
}
