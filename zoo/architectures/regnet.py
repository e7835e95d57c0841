"""RegNet: a family of networks whose widths follow from four numbers.

Reference: Radosavovic et al., 2020, arXiv:2003.13678.
"""

import functools
import itertools
import math
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax

from zoo.layers.attention import SqueezeExcite
from zoo.layers.composite import Activation, ConvNorm
from zoo.layers.normalization import BatchNorm, Norm
from zoo.layers.pooling import global_avg_pool
from zoo.layers.residual import Stage
from zoo.variant import Paper, Variant


def stage_widths(depth: int, initial: int, slope: float, step: float, group_width: int) -> list[tuple[int, int, int]]:
    r"""Compute widths and depths of the stages by the paper's quantized linear rule.

    Block j wants the width :math:`w_0 + w_a j`; it gets :math:`w_0 w_m^s` for the nearest integer s,
    rounded to a multiple of 8. Equal widths make a stage, and its width is then rounded to a
    multiple of the group width, halves up.

    Args:
      depth: number of blocks d.
      initial: width w_0 of the first block.
      slope: growth w_a of the width with each block.
      step: ratio w_m of the widths of neighbouring stages.
      group_width: channels of a group, at most.

    Returns:
      (width, blocks, group width) of each stage.

    Example:
      >>> stage_widths(16, 48, 27.89, 2.09, 8)
      [(48, 1, 8), (104, 3, 8), (208, 6, 8), (440, 6, 8)]
    """
    levels = [round(math.log(1 + slope * block / initial) / math.log(step)) for block in range(depth)]
    widths = [8 * round(initial * step**level / 8) for level in levels]
    stages = []
    for width, equal in itertools.groupby(widths):
        group = min(group_width, width)
        stages.append((max(group, int(width + group / 2) // group * group), len(list(equal)), group))
    return stages


class RegNetBlock(nn.Module):
    """1×1, grouped 3×3, attention, 1×1, all of one width, and a shortcut.

    Attributes:
      features: channels inside and at the output.
      groups: groups of the 3×3 convolution.
      strides: step of the 3×3 convolution.
      attention: makes a module, given `name`, that is applied after the 3×3 convolution; or None.
      act: the activation.
      norm: the normalization.
      dtype: type of the computation.

    Example:
      >>> import jax.numpy as jnp
      >>> block = RegNetBlock(16, groups=2, strides=2)
      >>> jax.eval_shape(block.init_with_output, jax.random.key(0), jnp.ones((1, 8, 8, 8)))[0].shape
      (1, 4, 4, 16)
    """

    features: int
    groups: int = 1
    strides: int = 1
    attention: Callable[..., nn.Module] | None = None
    act: Activation = nn.relu
    norm: Norm = BatchNorm()
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """(N, H, W, C) → (N, ceil(H / strides), ceil(W / strides), features)."""
        shared = {"norm": self.norm, "dtype": self.dtype}
        y = ConvNorm(self.features, 1, act=self.act, name="conv1", **shared)(x, train)
        y = ConvNorm(self.features, 3, self.strides, 1, groups=self.groups, act=self.act, name="conv2", **shared)(
            y, train
        )
        if self.attention is not None:
            y = self.attention(name="attention")(y)
        y = ConvNorm(self.features, 1, act=None, name="conv3", **shared)(y, train)
        if x.shape != y.shape:
            x = ConvNorm(self.features, 1, self.strides, act=None, name="shortcut", **shared)(x, train)
        return self.act(x + y)


class RegNet(nn.Module):
    """Stem, stages of blocks whose widths `stage_widths` gives, mean over space, linear head.

    Attributes:
      depth, initial, slope, step, group_width: arguments of `stage_widths`.
      squeeze: channels of the squeeze-excite bottleneck for each channel of a block's input (RegNetY);
        0: no squeeze-excite (RegNetX).
      num_classes: width of the output; 0: the pooled features.
      act: the activation everywhere but in the gates; None: ReLU.
      norm: the normalization everywhere.
      dtype: type of the computation.

    Example:
      >>> import jax.numpy as jnp
      >>> model = RegNet(depth=4, initial=8, slope=8.0, step=2.0, group_width=8, num_classes=10)
      >>> jax.eval_shape(model.init_with_output, jax.random.key(0), jnp.ones((2, 64, 64, 3)))[0].shape
      (2, 10)
    """

    depth: int
    initial: int
    slope: float
    step: float
    group_width: int
    squeeze: float = 0.0
    num_classes: int = 1000
    act: Activation | None = None
    norm: Norm = BatchNorm()
    dtype: Any = None

    @nn.compact
    def features(self, images: jax.Array, train: bool = False) -> dict[str, jax.Array]:
        """Outputs of the stages by name, `stage1` first: (N, H, W, C) images, any H and W."""
        shared = {"act": self.act or nn.relu, "norm": self.norm, "dtype": self.dtype}
        x = ConvNorm(32, 3, 2, 1, name="stem", **shared)(images, train)
        stages = dict[str, jax.Array]()
        plan = stage_widths(self.depth, self.initial, self.slope, self.step, self.group_width)
        for index, (width, count, group_width) in enumerate(plan, start=1):
            blocks = [
                functools.partial(
                    RegNetBlock,
                    width,
                    width // group_width,
                    attention=self._attention(width if block else x.shape[-1]),
                    **shared,
                )
                for block in range(count)
            ]
            name = f"stage{index}"
            x = stages[name] = Stage(blocks, strides=2, name=name)(x, train)
        return stages

    def _attention(self, inputs: int) -> functools.partial | None:
        if not self.squeeze:
            return None
        width = round(self.squeeze * inputs)
        return functools.partial(SqueezeExcite, width=width, act=self.act or nn.relu, dtype=self.dtype)

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> jax.Array:
        """(N, H, W, C) images → (N, num_classes) logits."""
        *_, x = self.features(images, train).values()
        x = global_avg_pool(x)
        return nn.Dense(self.num_classes, dtype=self.dtype, name="head")(x) if self.num_classes else x


PAPER = Paper("Designing Network Design Spaces", 2020, "arXiv:2003.13678")
TIES = "widths {} as in torchvision, which rounds halves up; rounded to even they are {}"


def _regnet(
    depth: int,
    initial: int,
    slope: float,
    step: float,
    group_width: int,
    top1: float,
    squeeze: float = 0.0,
    note: str = "",
) -> Variant:
    fields = {"depth": depth, "initial": initial, "slope": slope, "step": step, "group_width": group_width}
    return Variant(RegNet, fields | {"squeeze": squeeze}, PAPER, top1=top1, note=note)


VARIANTS = {
    "regnet_x_400mf": _regnet(
        22, 24, 24.48, 2.54, 16, 72.834, note=TIES.format("32, 64, 160, 400", "32, 64, 160, 384")
    ),
    "regnet_x_800mf": _regnet(16, 56, 35.73, 2.28, 16, 75.212),
    "regnet_x_1_6gf": _regnet(18, 80, 34.01, 2.25, 24, 77.040),
    "regnet_x_3_2gf": _regnet(25, 88, 26.31, 2.25, 48, 78.364),
    "regnet_y_400mf": _regnet(16, 48, 27.89, 2.09, 8, 74.046, squeeze=0.25),
    "regnet_y_800mf": _regnet(
        14, 56, 38.84, 2.40, 16, 76.420, squeeze=0.25, note=TIES.format("64, 144, 320, 784", "64, 128, 320, 768")
    ),
    "regnet_y_1_6gf": _regnet(27, 48, 20.71, 2.65, 24, 77.950, squeeze=0.25),
    "regnet_y_3_2gf": _regnet(21, 80, 42.63, 2.66, 24, 78.948, squeeze=0.25),
}
