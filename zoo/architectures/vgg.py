"""VGG: deep stacks of 3×3 convolutions and 2×2 max pooling.

Reference: Simonyan & Zisserman, 2014, arXiv:1409.1556.
"""

import functools
from typing import Any

import flax.linen as nn
import jax

from zoo.layers.composite import Activation, ConvNorm
from zoo.layers.convolutions import dense_over
from zoo.layers.cpu.barrier import apart
from zoo.layers.normalization import BatchNorm, NoNorm, Norm
from zoo.layers.pooling import adaptive_avg_pool, flatten, max_pool
from zoo.layers.residual import Stage
from zoo.variant import Paper, Variant


class VGG(nn.Module):
    """Stages of 3×3 convolutions with 2×2 max pooling after each, two dense layers of 4,096, linear head.

    What the last pooling leaves is averaged to 7×7, which is its size on images of 224 pixels.

    Attributes:
      convs: number of convolutions of each stage.
      widths: features of each stage.
      dense: units of each dense layer.
      dropout: rate after each dense layer, in [0, 1).
      convolutional: the dense layers as convolutions, so that a larger image gives a map of predictions.
      num_classes: width of the output; 0: the last dense layer.
      act: the activation everywhere; None: ReLU.
      norm: the normalization of the convolutions; none in the paper.
      dtype: type of the computation.

    Example:
      >>> import jax.numpy as jnp
      >>> model = VGG((1, 1), (8, 16), dense=(32,), num_classes=10)
      >>> jax.eval_shape(model.init_with_output, jax.random.key(0), jnp.ones((2, 32, 32, 3)))[0].shape
      (2, 10)
    """

    convs: tuple[int, ...]
    widths: tuple[int, ...] = (64, 128, 256, 512, 512)
    dense: tuple[int, ...] = (4096, 4096)
    dropout: float = 0.5
    convolutional: bool = False
    num_classes: int = 1000
    act: Activation | None = None
    norm: Norm = NoNorm()
    dtype: Any = None

    @nn.compact
    def features(self, images: jax.Array, train: bool = False) -> dict[str, jax.Array]:
        """Outputs of the stages by name, each before its pooling: (N, H, W, C) images, 32 pixels at least."""
        x, stages = images, dict[str, jax.Array]()
        for index, (count, width) in enumerate(zip(self.convs, self.widths, strict=True)):
            x = max_pool(x, 2) if index else x
            conv = functools.partial(
                ConvNorm,
                width,
                3,
                padding=1,
                use_bias=True,
                act=self.act or nn.relu,
                norm=self.norm,
                dtype=self.dtype,
            )
            name = f"stage{index + 1}"
            x = stages[name] = Stage((conv,) * count, name=name)(x, train)
        return stages

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> jax.Array:
        """(N, H, W, C) images → (N, num_classes) logits; (N, H', W', num_classes) if convolutional."""
        *_, x = self.features(images, train).values()
        x = apart(max_pool(x, 2))
        x = x if self.convolutional else flatten(adaptive_avg_pool(x, 7))
        for index, width in enumerate(self.dense):
            x = (self.act or nn.relu)(dense_over(x, width, 1 if index else 7, f"dense{index + 1}", self.dtype))
            x = nn.Dropout(self.dropout, deterministic=not train, name=f"dropout{index + 1}")(x)
        return dense_over(x, self.num_classes, 1, "head", self.dtype) if self.num_classes else x


PAPER = Paper("Very Deep Convolutional Networks for Large-Scale Image Recognition", 2014, "arXiv:1409.1556")

# The paper's configurations A, B, D and E, and published accuracies without and with batch normalization.
CONFIGURATIONS: dict[str, tuple[tuple[int, ...], float, float]] = {
    "vgg11": ((1, 1, 2, 2, 2), 69.020, 70.370),
    "vgg13": ((2, 2, 2, 2, 2), 69.928, 71.586),
    "vgg16": ((2, 2, 3, 3, 3), 71.592, 73.360),
    "vgg19": ((2, 2, 4, 4, 4), 72.376, 74.218),
}

VARIANTS = {
    name: Variant(VGG, {"convs": convs}, PAPER, top1=top1) for name, (convs, top1, _) in CONFIGURATIONS.items()
} | {
    f"{name}_bn": Variant(
        VGG,
        {"convs": convs, "norm": BatchNorm()},
        PAPER,
        top1=top1,
        note="torchvision's, with batch normalization; the paper has none",
    )
    for name, (convs, _, top1) in CONFIGURATIONS.items()
}
