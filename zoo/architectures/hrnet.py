"""HRNet: parallel resolutions from beginning to end, which exchange information.

References: Wang et al., 2019, arXiv:1908.07919; Sun et al., 2019, arXiv:1902.09212.
"""

import functools
from typing import Any

import flax.linen as nn
import jax

from zoo.layers.composite import Activation, ConvNorm
from zoo.layers.normalization import BatchNorm, Norm
from zoo.layers.pooling import global_avg_pool
from zoo.layers.residual import BasicBlock, BottleneckBlock, Stage
from zoo.layers.resize import resize
from zoo.variant import Paper, Variant

Maps = tuple[jax.Array, ...]


class Exchange(nn.Module):
    """The exchange unit: every resolution becomes the sum of all of them.

    Coarser maps come by a 1×1 convolution and nearest upsampling, finer ones by strided 3×3
    convolutions, one for each halving; only the last of those changes the width.

    Attributes:
      act: the activation of the sums and between the strided convolutions.
      norm: the normalization.
      dtype: type of the computation.
    """

    act: Activation = nn.relu
    norm: Norm = BatchNorm()
    dtype: Any = None

    @nn.compact
    def __call__(self, maps: Maps, train: bool = False) -> Maps:
        """Maps of (N, H / 2^i, W / 2^i, C_i), finest first → as many of the same shapes."""
        sums = []
        for to in range(len(maps)):
            total = self._bring(maps, 0, to, train)
            for source in range(1, len(maps)):
                total = total + self._bring(maps, source, to, train)
            sums.append(self.act(total))
        return tuple(sums)

    def _bring(self, maps: Maps, source: int, to: int, train: bool) -> jax.Array:
        shared = {"norm": self.norm, "dtype": self.dtype}
        x, width, name = maps[source], maps[to].shape[-1], f"from{source + 1}_to{to + 1}"
        if source > to:
            x = ConvNorm(width, 1, act=None, name=name, **shared)(x, train)
            return resize(x, maps[to].shape[1:3], "nearest")
        for step in range(1, to - source + 1):
            last = step == to - source
            x = ConvNorm(
                width if last else x.shape[-1],
                3,
                2,
                1,
                act=None if last else self.act,
                name=f"{name}_conv{step}",
                **shared,
            )(x, train)
        return x


class HighResolutionTrunk(nn.Module):
    """The paper's four stages: each but the first adds a resolution at half the size and twice the width.

    Attributes:
      width: features of the finest resolution.
      modules: how often resolutions are processed and exchanged, in the second to fourth stage.
      blocks: basic blocks of each resolution between two exchanges.
      act: the activation.
      norm: the normalization.
      dtype: type of the computation.
    """

    width: int
    modules: tuple[int, ...] = (1, 4, 3)
    blocks: int = 4
    act: Activation = nn.relu
    norm: Norm = BatchNorm()
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> Maps:
        """(N, H, W, C) → maps of (N, H / 2^i, W / 2^i, width · 2^i)."""
        shared = {"act": self.act, "norm": self.norm, "dtype": self.dtype}
        bottleneck = functools.partial(BottleneckBlock, 64, **shared)
        x = Stage((bottleneck,) * 4, name="stage1")(x, train)
        finest = ConvNorm(self.width, 3, 1, 1, name="transition1_1", **shared)(x, train)
        maps: Maps = (finest,)
        for stage, count in enumerate(self.modules, start=2):
            # The first new resolution is made from what the finest one was before its width was cut.
            source = x if stage == 2 else maps[-1]
            conv = ConvNorm(self.width * 2 ** (stage - 1), 3, 2, 1, name=f"transition{stage - 1}_{stage}", **shared)
            maps = (*maps, conv(source, train))
            for module in range(1, count + 1):
                name = f"stage{stage}_module{module}"
                maps = tuple(
                    Stage(
                        (functools.partial(BasicBlock, branch.shape[-1], **shared),) * self.blocks,
                        name=f"{name}_branch{index}",
                    )(branch, train)
                    for index, branch in enumerate(maps, start=1)
                )
                maps = Exchange(name=f"{name}_exchange", **shared)(maps, train)
        return maps


class HRNet(nn.Module):
    """Stem, parallel resolutions, one bottleneck for each of them, their sum from fine to coarse, linear head.

    What the paper calls stages is in `trunk`; `stage1` to `stage4` are its four resolutions, each widened
    by one bottleneck block.

    Attributes:
      width: features of the finest resolution in the trunk.
      modules: exchanges in the second to fourth stage of the trunk.
      num_classes: width of the output; 0: the pooled features.
      act: the activation everywhere; None: ReLU.
      norm: the normalization everywhere.
      dtype: type of the computation.

    Example:
      >>> import jax.numpy as jnp
      >>> model = HRNet(width=4, modules=(1, 1, 1), num_classes=10)
      >>> jax.eval_shape(model.init_with_output, jax.random.key(0), jnp.ones((2, 64, 64, 3)))[0].shape
      (2, 10)
    """

    width: int = 18
    modules: tuple[int, int, int] = (1, 4, 3)
    num_classes: int = 1000
    act: Activation | None = None
    norm: Norm = BatchNorm()
    dtype: Any = None

    @nn.compact
    def features(self, images: jax.Array, train: bool = False) -> dict[str, jax.Array]:
        """The resolutions by name, at strides 4, 8, 16, 32: (N, H, W, C) images, any H and W."""
        shared = {"act": self.act or nn.relu, "norm": self.norm, "dtype": self.dtype}
        x = ConvNorm(64, 3, 2, 1, name="stem", **shared)(images, train)
        x = ConvNorm(64, 3, 2, 1, name="stem2", **shared)(x, train)
        maps = HighResolutionTrunk(self.width, self.modules, name="trunk", **shared)(x, train)
        return {
            f"stage{index + 1}": Stage(
                (functools.partial(BottleneckBlock, 32 * 2**index, **shared),), name=f"stage{index + 1}"
            )(branch, train)
            for index, branch in enumerate(maps)
        }

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> jax.Array:
        """(N, H, W, C) images → (N, num_classes) logits."""
        shared = {"act": self.act or nn.relu, "norm": self.norm, "dtype": self.dtype}
        x, *coarser = self.features(images, train).values()
        for index, branch in enumerate(coarser, start=1):
            down = ConvNorm(branch.shape[-1], 3, 2, 1, use_bias=True, name=f"down{index}", **shared)
            x = branch + down(x, train)
        x = global_avg_pool(ConvNorm(2048, 1, use_bias=True, name="final", **shared)(x, train))
        return nn.Dense(self.num_classes, dtype=self.dtype, name="head")(x) if self.num_classes else x


PAPER = Paper("Deep High-Resolution Representation Learning for Visual Recognition", 2019, "arXiv:1908.07919")
NOTE = "HRNet-C, with the classification head of the authors' code; biases before the normalization there"

VARIANTS = {
    f"hrnet_w{width}": Variant(HRNet, {"width": width}, PAPER, top1=top1, note=NOTE)
    for width, top1 in ((18, 76.77), (32, 78.45), (48, 79.33))
}
