"""MNASNet: inverted residuals in sizes from an architecture search with latency on a phone.

Reference: Tan et al., 2018, arXiv:1807.11626.
"""

import functools
from typing import Any

import flax.linen as nn
import jax

from zoo.layers.arithmetic import round_channels
from zoo.layers.composite import Activation, ConvNorm
from zoo.layers.inverted import InvertedResidual
from zoo.layers.normalization import BatchNorm, Norm
from zoo.layers.pooling import global_avg_pool
from zoo.layers.residual import Stage
from zoo.variant import Paper, Variant

Rows = tuple[tuple[int, int, int, int], ...]

# Rows of (expansion, kernel size, features, blocks), one tuple of rows a stage; every stage but the first
# halves the image.
STAGES: tuple[Rows, ...] = (
    ((1, 3, 16, 1),),
    ((3, 3, 24, 3),),
    ((3, 5, 40, 3),),
    ((6, 5, 80, 3), (6, 3, 96, 2)),
    ((6, 5, 192, 4), (6, 3, 320, 1)),
)


class MNASNet(nn.Module):
    """Stem, stages of inverted residuals, a 1×1 convolution to 1,280, mean over space, linear head.

    Attributes:
      stages: rows of (expansion, kernel size, features, blocks) for each stage.
      width: factor on all widths but the last convolution's.
      dropout: rate before the head, in [0, 1).
      num_classes: width of the output; 0: the pooled features.
      act: the activation everywhere; None: ReLU.
      norm: the normalization everywhere.
      dtype: type of the computation.

    Example:
      >>> import jax.numpy as jnp
      >>> model = MNASNet(width=0.25, num_classes=10)
      >>> jax.eval_shape(model.init_with_output, jax.random.key(0), jnp.ones((2, 64, 64, 3)))[0].shape
      (2, 10)
    """

    stages: tuple[Rows, ...] = STAGES
    width: float = 1.0
    dropout: float = 0.2
    num_classes: int = 1000
    act: Activation | None = None
    norm: Norm = BatchNorm(momentum=0.9997)
    dtype: Any = None

    @nn.compact
    def features(self, images: jax.Array, train: bool = False) -> dict[str, jax.Array]:
        """Outputs of the stages by name, `stage1` first: (N, H, W, C) images, any H and W."""
        shared = {"act": self.act or nn.relu, "norm": self.norm, "dtype": self.dtype}
        x = ConvNorm(round_channels(32 * self.width), 3, 2, 1, name="stem", **shared)(images, train)
        stages, width = dict[str, jax.Array](), x.shape[-1]
        for index, rows in enumerate(self.stages):
            blocks = []
            for expansion, kernel_size, features, count in rows:
                for _ in range(count):
                    hidden, width = width * expansion, round_channels(features * self.width)
                    blocks.append(functools.partial(InvertedResidual, width, hidden, kernel_size, **shared))
            name = f"stage{index + 1}"
            x = stages[name] = Stage(blocks, strides=2 if index else 1, name=name)(x, train)
        return stages

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> jax.Array:
        """(N, H, W, C) images → (N, num_classes) logits."""
        *_, x = self.features(images, train).values()
        x = ConvNorm(1280, 1, act=self.act or nn.relu, norm=self.norm, dtype=self.dtype, name="final")(x, train)
        x = global_avg_pool(x)
        if not self.num_classes:
            return x
        x = nn.Dropout(self.dropout, deterministic=not train, name="dropout")(x)
        return nn.Dense(self.num_classes, dtype=self.dtype, name="head")(x)


PAPER = Paper("MnasNet: Platform-Aware Neural Architecture Search for Mobile", 2018, "arXiv:1807.11626")
NOTE = "the form B1, without squeeze-excite, as in torchvision"

VARIANTS = {
    "mnasnet0_5": Variant(MNASNet, {"width": 0.5}, PAPER, top1=67.734, note=NOTE),
    "mnasnet1_0": Variant(MNASNet, {}, PAPER, top1=73.456, note=NOTE),
}
