"""Xception: the extreme form of Inception, in which every channel has a branch of its own.

Reference: Chollet, 2016, arXiv:1610.02357.
"""

import functools
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax

from zoo.layers.auxiliary import Chain
from zoo.layers.composite import Activation, ConvNorm
from zoo.layers.normalization import BatchNorm, Norm
from zoo.layers.pooling import global_avg_pool, max_pool
from zoo.layers.residual import Stage
from zoo.layers.separable import DepthwiseSeparableConv
from zoo.variant import Paper, Variant

# Features of the separable convolutions of each block, one tuple of blocks a stage, each of which halves the image.
STAGES: tuple[tuple[tuple[int, ...], ...], ...] = (
    ((128, 128),),
    ((256, 256),),
    ((728, 728), *8 * ((728, 728, 728),)),
    ((728, 1024),),
)


class SeparableConvNorm(nn.Module):
    """A 3×3 depthwise-separable convolution without an activation inside, then `norm`, then the activation.

    Attributes:
      features: output channels.
      act: the activation; None: linear.
      norm: the normalization.
      dtype: type of the computation.
    """

    features: int
    act: Activation | None = nn.relu
    norm: Norm = BatchNorm()
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """(N, H, W, C) → (N, H, W, features)."""
        x = DepthwiseSeparableConv(self.features, 3, padding=1, use_bias=False, dtype=self.dtype, name="conv")(x)
        x = self.norm(x, train=train, name="norm", dtype=self.dtype)
        return x if self.act is None else self.act(x)


class XceptionBlock(nn.Module):
    """Separable convolutions with activations before them, 3×3 max pooling if it strides, and a shortcut.

    Attributes:
      widths: features of each convolution.
      strides: step of the pooling.
      activated: the first convolution has an activation before it too.
      act: the activation.
      norm: the normalization.
      dtype: type of the computation.

    Example:
      >>> import jax.numpy as jnp
      >>> block = XceptionBlock((8, 16), strides=2)
      >>> jax.eval_shape(block.init_with_output, jax.random.key(0), jnp.ones((1, 8, 8, 8)))[0].shape
      (1, 4, 4, 16)
    """

    widths: tuple[int, ...]
    strides: int = 1
    activated: bool = True
    act: Activation = nn.relu
    norm: Norm = BatchNorm()
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """(N, H, W, C) → (N, ceil(H / strides), ceil(W / strides), the last width)."""
        shared = {"act": None, "norm": self.norm, "dtype": self.dtype}
        y = x
        for index, width in enumerate(self.widths):
            y = self.act(y) if index or self.activated else y
            y = SeparableConvNorm(width, name=f"conv{index + 1}", **shared)(y, train)
        if self.strides > 1:
            y = max_pool(y, 3, self.strides, padding=1)
        if x.shape == y.shape:
            return x + y
        return ConvNorm(self.widths[-1], 1, self.strides, 0, name="shortcut", **shared)(x, train) + y


class Xception(nn.Module):
    """Stem of two convolutions, stages of separable blocks, two wide separable convolutions, mean, linear head.

    Attributes:
      stages: widths of each block of each stage.
      final: features of the two convolutions that end the last stage.
      dropout: rate before the head, in [0, 1).
      num_classes: width of the output; 0: the pooled features.
      act: the activation everywhere; None: ReLU.
      norm: the normalization everywhere.
      dtype: type of the computation.

    Example:
      >>> import jax.numpy as jnp
      >>> model = Xception((((8, 8),), ((16, 16), (16, 16))), final=(24, 32), num_classes=10)
      >>> jax.eval_shape(model.init_with_output, jax.random.key(0), jnp.ones((2, 64, 64, 3)))[0].shape
      (2, 10)
    """

    stages: tuple[tuple[tuple[int, ...], ...], ...] = STAGES
    final: tuple[int, ...] = (1536, 2048)
    dropout: float = 0.5
    num_classes: int = 1000
    act: Activation | None = None
    norm: Norm = BatchNorm()
    dtype: Any = None

    @nn.compact
    def features(self, images: jax.Array, train: bool = False) -> dict[str, jax.Array]:
        """Outputs of the stages by name, `stage1` first: (N, H, W, C) images, 7 pixels at least."""
        shared = {"act": self.act or nn.relu, "norm": self.norm, "dtype": self.dtype}
        conv = functools.partial(ConvNorm, kernel_size=3, padding=0, **shared)
        stem = ("conv1", functools.partial(conv, 32, strides=2)), ("conv2", functools.partial(conv, 64))
        x = Chain(stem, name="stem")(images, train)
        outputs = dict[str, jax.Array]()
        for index, rows in enumerate(self.stages):
            blocks: list[Callable[..., nn.Module]] = [
                functools.partial(XceptionBlock, widths, activated=index > 0, **shared) for widths in rows
            ]
            name = f"stage{index + 1}"
            x = outputs[name] = Stage(blocks, strides=2, name=name)(x, train)
        return outputs

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> jax.Array:
        """(N, H, W, C) images → (N, num_classes) logits."""
        *_, x = self.features(images, train).values()
        shared = {"act": self.act or nn.relu, "norm": self.norm, "dtype": self.dtype}
        for index, width in enumerate(self.final, start=1):
            x = SeparableConvNorm(width, name=f"final{index}", **shared)(x, train)
        x = global_avg_pool(x)
        if not self.num_classes:
            return x
        x = nn.Dropout(self.dropout, deterministic=not train, name="dropout")(x)
        return nn.Dense(self.num_classes, dtype=self.dtype, name="head")(x)


PAPER = Paper("Xception: Deep Learning with Depthwise Separable Convolutions", 2016, "arXiv:1610.02357")

VARIANTS = {
    "xception": Variant(
        Xception,
        {},
        PAPER,
        (299, 299, 3),
        79.06,
        "timm's legacy_xception, ported from Keras: symmetric padding where Keras pads at the end",
    )
}
