"""ShuffleNet: grouped 1×1 convolutions, and a channel shuffle that mixes the groups.

Reference: Zhang et al., 2017, arXiv:1707.01083.
"""

import functools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from zoo.layers.composite import Activation, ConvNorm
from zoo.layers.convolutions import channel_shuffle
from zoo.layers.normalization import BatchNorm, Norm
from zoo.layers.pooling import avg_pool, global_avg_pool, max_pool
from zoo.layers.residual import Stage
from zoo.variant import Paper, Variant


class GroupedShuffleUnit(nn.Module):
    """Grouped 1×1 down to a quarter, shuffle, depthwise 3×3, grouped 1×1 up, and a shortcut.

    With stride 1 the branch is added to the input; with a larger one it is concatenated to the
    input's 3×3 averages, and makes only the channels that those lack.

    Attributes:
      features: output channels; with stride 1 those of the input.
      groups: of the 1×1 convolutions.
      grouped_input: whether the first of them is grouped too; not so on the stem's few channels.
      strides: step of the depthwise convolution.
      act: the activation.
      norm: the normalization.
      dtype: type of the computation.

    Example:
      >>> block = GroupedShuffleUnit(32, groups=2, strides=2)
      >>> jax.eval_shape(block.init_with_output, jax.random.key(0), jnp.ones((1, 8, 8, 16)))[0].shape
      (1, 4, 4, 32)
    """

    features: int
    groups: int
    grouped_input: bool = True
    strides: int = 1
    act: Activation = nn.relu
    norm: Norm = BatchNorm()
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """(N, H, W, C) → (N, ceil(H / strides), ceil(W / strides), features)."""
        shared = {"norm": self.norm, "dtype": self.dtype}
        hidden, groups = self.features // 4, self.groups if self.grouped_input else 1
        y = ConvNorm(hidden, 1, groups=groups, act=self.act, name="reduce", **shared)(x, train)
        y = channel_shuffle(y, self.groups)
        y = ConvNorm(hidden, 3, self.strides, 1, groups=hidden, act=None, name="depthwise", **shared)(y, train)
        made = self.features if self.strides == 1 else self.features - x.shape[-1]
        y = ConvNorm(made, 1, groups=self.groups, act=None, name="expand", **shared)(y, train)
        if self.strides == 1:
            return self.act(x + y)
        return self.act(jnp.concatenate([avg_pool(x, 3, self.strides, padding=1), y], axis=-1))


class ShuffleNetV1(nn.Module):
    """Stem, max pooling, stages of grouped shuffle units, mean over space, linear head.

    Attributes:
      groups: of the 1×1 convolutions.
      width: features of the first stage, the paper's Stage2; each further one doubles them.
      blocks: number of units of each stage.
      num_classes: width of the output; 0: the pooled features.
      act: the activation everywhere; None: ReLU.
      norm: the normalization everywhere.
      dtype: type of the computation.

    Example:
      >>> model = ShuffleNetV1(groups=2, width=32, num_classes=10)
      >>> jax.eval_shape(model.init_with_output, jax.random.key(0), jnp.ones((2, 64, 64, 3)))[0].shape
      (2, 10)
    """

    groups: int
    width: int
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
        for index, count in enumerate(self.blocks):
            units = [
                functools.partial(
                    GroupedShuffleUnit,
                    self.width * 2**index,
                    self.groups,
                    grouped_input=index + block > 0,
                    **shared,
                )
                for block in range(count)
            ]
            name = f"stage{index + 1}"
            x = stages[name] = Stage(units, strides=2, name=name)(x, train)
        return stages

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> jax.Array:
        """(N, H, W, C) images → (N, num_classes) logits."""
        *_, x = self.features(images, train).values()
        x = global_avg_pool(x)
        return nn.Dense(self.num_classes, dtype=self.dtype, name="head")(x) if self.num_classes else x


PAPER = Paper(
    "ShuffleNet: An Extremely Efficient Convolutional Neural Network for Mobile Devices", 2017, "arXiv:1707.01083"
)

VARIANTS = {
    "shufflenet_v1_g1": Variant(ShuffleNetV1, {"groups": 1, "width": 144}, PAPER),
    "shufflenet_v1_g2": Variant(ShuffleNetV1, {"groups": 2, "width": 200}, PAPER),
    "shufflenet_v1_g3": Variant(ShuffleNetV1, {"groups": 3, "width": 240}, PAPER, top1=68.13),
    "shufflenet_v1_g4": Variant(ShuffleNetV1, {"groups": 4, "width": 272}, PAPER),
    "shufflenet_v1_g8": Variant(ShuffleNetV1, {"groups": 8, "width": 384}, PAPER),
}
