"""Densely connected networks: every layer reads the outputs of all earlier layers of its resolution.

Reference: Huang et al., 2016, arXiv:1608.06993.
"""

from typing import Any, Literal

import flax.linen as nn
import jax

from zoo.layers.composite import Activation, ConvNorm, NormConv
from zoo.layers.convolutions import Conv
from zoo.layers.dense import DenseBlock
from zoo.layers.normalization import BatchNorm, Norm
from zoo.layers.pooling import avg_pool, global_avg_pool, max_pool
from zoo.variant import Paper, Variant


class DenseNet(nn.Module):
    """Stem, dense blocks with transitions that halve channels and image, mean over space, linear head.

    Attributes:
      layers: number of layers of each dense block.
      growth: channels that each layer adds.
      width: features of the stem.
      compression: share of the channels that a transition keeps, in (0, 1].
      stem: `"imagenet"` (7×7 stride 2, then 3×3 max pooling stride 2) or `"cifar"` (a bare 3×3 convolution).
      dropout: rate after each layer, in [0, 1).
      num_classes: width of the output; 0: the pooled features.
      act: the activation everywhere; None: ReLU.
      norm: the normalization everywhere.
      dtype: type of the computation.

    Example:
      >>> import jax.numpy as jnp
      >>> model = DenseNet((2, 2), growth=4, width=8, stem="cifar", num_classes=10)
      >>> jax.eval_shape(model.init_with_output, jax.random.key(0), jnp.ones((2, 32, 32, 3)))[0].shape
      (2, 10)
    """

    layers: tuple[int, ...]
    growth: int = 32
    width: int = 64
    compression: float = 0.5
    stem: Literal["imagenet", "cifar"] = "imagenet"
    dropout: float = 0.0
    num_classes: int = 1000
    act: Activation | None = None
    norm: Norm = BatchNorm()
    dtype: Any = None

    @nn.compact
    def features(self, images: jax.Array, train: bool = False) -> dict[str, jax.Array]:
        """Outputs of the dense blocks by name, `stage1` first: (N, H, W, C) images, 29 pixels at least (CIFAR: 4)."""
        shared = {"act": self.act or nn.relu, "norm": self.norm, "dtype": self.dtype}
        if self.stem == "imagenet":
            x = ConvNorm(self.width, 7, 2, 3, name="stem", **shared)(images, train)
            x = max_pool(x, 3, 2, padding=1)
        else:
            init = nn.initializers.he_normal()
            x = Conv(self.width, 3, padding=1, use_bias=False, dtype=self.dtype, kernel_init=init, name="stem")(images)
        stages = dict[str, jax.Array]()
        for index, count in enumerate(self.layers):
            if index:
                kept = int(x.shape[-1] * self.compression)
                x = avg_pool(NormConv(kept, 1, name=f"transition{index}", **shared)(x, train), 2)
            name = f"stage{index + 1}"
            x = stages[name] = DenseBlock(count, self.growth, dropout=self.dropout, name=name, **shared)(x, train)
        return stages

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> jax.Array:
        """(N, H, W, C) images → (N, num_classes) logits."""
        *_, x = self.features(images, train).values()
        x = (self.act or nn.relu)(self.norm(x, train=train, name="norm", dtype=self.dtype))
        x = global_avg_pool(x)
        return nn.Dense(self.num_classes, dtype=self.dtype, name="head")(x) if self.num_classes else x


PAPER = Paper("Densely Connected Convolutional Networks", 2016, "arXiv:1608.06993")

VARIANTS = {
    "densenet121": Variant(DenseNet, {"layers": (6, 12, 24, 16)}, PAPER, top1=74.434),
    "densenet161": Variant(DenseNet, {"layers": (6, 12, 36, 24), "growth": 48, "width": 96}, PAPER, top1=77.138),
    "densenet169": Variant(DenseNet, {"layers": (6, 12, 32, 32)}, PAPER, top1=75.600),
    "densenet201": Variant(DenseNet, {"layers": (6, 12, 48, 32)}, PAPER, top1=76.896),
    "densenet_bc_100_12": Variant(
        DenseNet,
        {"layers": (16, 16, 16), "growth": 12, "width": 24, "stem": "cifar", "num_classes": 10},
        PAPER,
        (32, 32, 3),
        note="DenseNet-BC of 100 layers: with bottlenecks, and transitions that halve the channels",
    ),
}
