"""GoogLeNet: kernels of several sizes in parallel, and auxiliary heads for training.

Reference: Szegedy et al., 2014, arXiv:1409.4842.
"""

import functools
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax

from zoo.layers.auxiliary import AuxiliaryHead, Chain
from zoo.layers.composite import Activation, ConvNorm
from zoo.layers.inception import Inception, NaiveInception
from zoo.layers.normalization import BatchNorm, Norm
from zoo.layers.pooling import adaptive_avg_pool, flatten, global_avg_pool, max_pool
from zoo.variant import Paper, Variant

Row = tuple[int, tuple[int, int], tuple[int, int], int]

# Table 1 of the paper, modules 3a to 5b: features of the 1×1 branch, (reduced, features) of the
# 3×3 and 5×5 branches, features after the pooling; one tuple of rows a stage.
STAGES: tuple[tuple[Row, ...], ...] = (
    ((64, (96, 128), (16, 32), 32), (128, (128, 192), (32, 96), 64)),
    (
        (192, (96, 208), (16, 48), 64),
        (160, (112, 224), (24, 64), 64),
        (128, (128, 256), (24, 64), 64),
        (112, (144, 288), (32, 64), 64),
        (256, (160, 320), (32, 128), 128),
    ),
    ((256, (160, 320), (32, 128), 128), (384, (192, 384), (48, 128), 128)),
)

# The modules, by stage and block, that an auxiliary head follows: 4a and 4d.
HEADS = {(3, 1): "aux1", (3, 4): "aux2"}


class GoogLeNetHead(AuxiliaryHead):
    """Mean over a 4×4 grid, 1×1 convolution to 128, dense layer of 1,024, dropout, linear head.

    Attributes:
      dropout: rate before the linear layer, in [0, 1).
      num_classes, act, norm, dtype: those of `AuxiliaryHead`.
    """

    dropout: float = 0.7

    def _logits(self, x: jax.Array, train: bool) -> jax.Array:
        conv = ConvNorm(128, 1, act=self.act, norm=self.norm, dtype=self.dtype, name="conv")
        x = flatten(conv(adaptive_avg_pool(x, 4), train))
        x = self.act(nn.Dense(1024, dtype=self.dtype, name="dense")(x))
        x = nn.Dropout(self.dropout, deterministic=not train, name="dropout")(x)
        return nn.Dense(self.num_classes, dtype=self.dtype, name="head")(x)


class GoogLeNet(nn.Module):
    """Stem, two convolutions, nine inception modules, mean over space, linear head.

    Attributes:
      stages: rows of widths (`STAGES`) for each stage of inception modules.
      kernel_size: of the third branch; torchvision's 3, or the paper's 5.
      naive: modules without the 1×1 convolutions that keep the channels few.
      auxiliary: add the two heads that training sows into `aux_logits`.
      dropout: rate before the head, in [0, 1).
      num_classes: width of the outputs; 0: the pooled features, and no auxiliary heads.
      act: the activation everywhere; None: ReLU.
      norm: the normalization everywhere.
      dtype: type of the computation.

    Example:
      >>> import jax.numpy as jnp
      >>> model = GoogLeNet(num_classes=10)
      >>> jax.eval_shape(model.init_with_output, jax.random.key(0), jnp.ones((2, 64, 64, 3)))[0].shape
      (2, 10)
    """

    stages: tuple[tuple[Row, ...], ...] = STAGES
    kernel_size: int = 3
    naive: bool = False
    auxiliary: bool = False
    dropout: float = 0.2
    num_classes: int = 1000
    act: Activation | None = None
    norm: Norm = BatchNorm(epsilon=1e-3)
    dtype: Any = None

    @nn.compact
    def features(self, images: jax.Array, train: bool = False) -> dict[str, jax.Array]:
        """Outputs of the stages by name, `stage1` first: (N, H, W, C) images, 15 pixels at least."""
        shared = {"act": self.act or nn.relu, "norm": self.norm, "dtype": self.dtype}
        head = functools.partial(GoogLeNetHead, num_classes=self.num_classes, **shared)
        heads = HEADS if self.auxiliary and self.num_classes else {}
        x = ConvNorm(64, 7, 2, 3, name="stem", **shared)(images, train)
        one = functools.partial(ConvNorm, 64, 1, **shared)
        three = functools.partial(ConvNorm, 192, 3, padding=1, **shared)
        x = Chain((("conv1", one), ("conv2", three)), name="stage1")(max_pool(x, 3, 2, ceil_mode=True), train)
        stages = {"stage1": x}
        for stage, rows in enumerate(self.stages, start=2):
            links: list[tuple[str, Callable[..., nn.Module]]] = []
            for block, row in enumerate(rows, start=1):
                links.append((f"block{block}", functools.partial(self._module(row), **shared)))
                if (stage, block) in heads:
                    links.append((heads[stage, block], head))
            name = f"stage{stage}"
            x = max_pool(x, 2 if stage == 4 else 3, 2, ceil_mode=True)
            x = stages[name] = Chain(tuple(links), name=name)(x, train)
        return stages

    def _module(self, row: Row) -> Callable[..., nn.Module]:
        one, three, five, pool = row
        if self.naive:
            return functools.partial(NaiveInception, one, three[1], five[1])
        return functools.partial(Inception, one, three, five, pool, kernel_size=self.kernel_size)

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> jax.Array:
        """(N, H, W, C) images → (N, num_classes) logits."""
        *_, x = self.features(images, train).values()
        x = global_avg_pool(x)
        if not self.num_classes:
            return x
        x = nn.Dropout(self.dropout, deterministic=not train, name="dropout")(x)
        return nn.Dense(self.num_classes, dtype=self.dtype, name="head")(x)


PAPER = Paper("Going Deeper with Convolutions", 2014, "arXiv:1409.4842")
NOTE = "torchvision's: batch normalization, 3×3 kernels in the branch that has 5×5 in the paper (kernel_size=5)"

VARIANTS = {
    "googlenet": Variant(GoogLeNet, {}, PAPER, top1=69.778, note=NOTE),
    "googlenet_aux": Variant(GoogLeNet, {"auxiliary": True}, PAPER, note=f"{NOTE}; with both auxiliary heads"),
}
