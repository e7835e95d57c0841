"""U-Net: a contracting path for context and an expanding path for position.

Reference: Ronneberger, Fischer & Brox, 2015, arXiv:1505.04597.
"""

import functools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from zoo.layers.composite import Activation, ConvNorm
from zoo.layers.convolutions import PointwiseConv
from zoo.layers.normalization import NoNorm, Norm
from zoo.layers.pooling import max_pool
from zoo.layers.residual import Stage
from zoo.layers.resize import pad_to_multiple
from zoo.layers.transposed import TransposedConv
from zoo.variant import Paper, Variant


class UNet(nn.Module):
    """Stages of two 3×3 convolutions: halving on the way down, doubling on the way up, concatenated at equal sizes.

    Convolutions are padded, so that the logits have the image's size; the paper's are not, and its
    output is smaller than its input. Images are zero-padded below and on the right to where all
    halvings divide them, and the logits cropped.

    Attributes:
      widths: features of each stage on the way down.
      dropout: rate after the lowest stage, in [0, 1).
      num_classes: width of the output; 0: the last stage's features.
      act: the activation everywhere; None: ReLU.
      norm: the normalization after every 3×3 convolution; none in the paper.
      dtype: type of the computation.

    Example:
      >>> model = UNet(widths=(4, 8, 16))
      >>> jax.eval_shape(model.init_with_output, jax.random.key(0), jnp.ones((1, 30, 40, 3)))[0].shape
      (1, 30, 40, 2)
    """

    widths: tuple[int, ...] = (64, 128, 256, 512, 1024)
    dropout: float = 0.5
    num_classes: int = 2
    act: Activation | None = None
    norm: Norm = NoNorm()
    dtype: Any = None

    def _stage(self, index: int, width: int) -> Stage:
        shared = {"act": self.act or nn.relu, "norm": self.norm, "dtype": self.dtype}
        conv = functools.partial(ConvNorm, width, 3, padding=1, use_bias=True, **shared)
        return Stage((conv,) * 2, name=f"stage{index}")

    @nn.compact
    def features(self, images: jax.Array, train: bool = False) -> dict[str, jax.Array]:
        """Outputs of the stages by name, down and up again: (N, H, W, C) images, any H and W."""
        depth = len(self.widths)
        x, stages = pad_to_multiple(images, 2 ** (depth - 1)), dict[str, jax.Array]()
        for index, width in enumerate(self.widths, start=1):
            x = max_pool(x, 2) if index > 1 else x
            x = stages[f"stage{index}"] = self._stage(index, width)(x, train)
        x = nn.Dropout(self.dropout, deterministic=not train, name="dropout")(x)
        for index, width in enumerate(self.widths[-2::-1], start=depth + 1):
            x = TransposedConv(features=width, kernel_size=2, strides=2, dtype=self.dtype, name=f"up{index}")(x)
            x = jnp.concatenate([stages[f"stage{2 * depth - index}"], x], axis=-1)
            x = stages[f"stage{index}"] = self._stage(index, width)(x, train)
        return stages

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> jax.Array:
        """(N, H, W, C) images → (N, H, W, num_classes) logits."""
        *_, x = self.features(images, train).values()
        if self.num_classes:
            x = PointwiseConv(self.num_classes, dtype=self.dtype, name="head")(x)
        height, width = images.shape[1:3]
        return x[:, :height, :width]


PAPER = Paper("U-Net: Convolutional Networks for Biomedical Image Segmentation", 2015, "arXiv:1505.04597")

VARIANTS = {
    "unet": Variant(UNet, {}, PAPER, (512, 512, 1), note="padded convolutions: the output has the image's size")
}
