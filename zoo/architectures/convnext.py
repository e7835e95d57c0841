"""ConvNeXt: a residual network modernized with the design choices of vision transformers.

Reference: Liu et al., 2022, arXiv:2201.03545.
"""

import functools
from typing import Any

import flax.linen as nn
import jax

from zoo.layers.activations import gelu
from zoo.layers.composite import Activation, ConvNorm
from zoo.layers.convolutions import Conv
from zoo.layers.normalization import LayerNorm, Norm
from zoo.layers.pooling import global_avg_pool
from zoo.layers.residual import Stage
from zoo.variant import Paper, Variant


class ConvNeXtBlock(nn.Module):
    """A depthwise 7×7, normalization, two dense layers at every position, a scale for each channel, and a shortcut.

    Attributes:
      layer_scale: what the scale of each channel of the branch starts from.
      drop_path: probability that training skips the branch of an image, in [0, 1).
      strides: 1; stages halve the image before their blocks.
      act: the activation between the dense layers.
      norm: the normalization.
      dtype: type of the computation.

    Example:
      >>> import jax.numpy as jnp
      >>> block = ConvNeXtBlock()
      >>> jax.eval_shape(block.init_with_output, jax.random.key(0), jnp.ones((1, 8, 8, 16)))[0].shape
      (1, 8, 8, 16)
    """

    layer_scale: float = 1e-6
    drop_path: float = 0.0
    strides: int = 1
    act: Activation = gelu
    norm: Norm = LayerNorm()
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """(N, H, W, C) → (N, H, W, C)."""
        channels = x.shape[-1]
        y = Conv(channels, 7, self.strides, 3, groups=channels, dtype=self.dtype, name="depthwise")(x)
        y = self.norm(y, train=train, name="norm", dtype=self.dtype)
        y = self.act(nn.Dense(4 * channels, dtype=self.dtype, name="expand")(y))
        y = nn.Dense(channels, dtype=self.dtype, name="project")(y)
        scale = self.param("layer_scale", nn.initializers.constant(self.layer_scale), (channels,))
        y = y * scale.astype(y.dtype).reshape(1, 1, 1, -1)
        if self.drop_path:
            y = nn.Dropout(self.drop_path, (1, 2, 3), deterministic=not train, name="drop_path")(y)
        return x + y


class Downsample(nn.Module):
    """Normalization, then a 2×2 convolution with stride 2.

    Attributes:
      features: output channels.
      norm: the normalization.
      dtype: type of the computation.

    Example:
      >>> import jax.numpy as jnp
      >>> layer = Downsample(32)
      >>> jax.eval_shape(layer.init_with_output, jax.random.key(0), jnp.ones((1, 8, 8, 16)))[0].shape
      (1, 4, 4, 32)
    """

    features: int
    norm: Norm = LayerNorm()
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """(N, H, W, C) → (N, H // 2, W // 2, features)."""
        x = self.norm(x, train=train, name="norm", dtype=self.dtype)
        return Conv(self.features, 2, 2, "VALID", dtype=self.dtype, name="conv")(x)


class ConvNeXt(nn.Module):
    """Patches of 4×4, stages of blocks with downsampling between them, mean over space, normalization, linear head.

    Attributes:
      width: features of the first stage; each further one doubles them.
      blocks: number of blocks of each stage.
      drop_path: probability that training skips the last block's branch; it grows linearly from 0 at the first.
      layer_scale: what the scale of each channel of a branch starts from.
      num_classes: width of the output; 0: the pooled, normalized features.
      act: the activation everywhere; None: GELU.
      norm: the normalization everywhere.
      dtype: type of the computation.

    Example:
      >>> import jax.numpy as jnp
      >>> model = ConvNeXt(8, (1, 1), num_classes=10)
      >>> jax.eval_shape(model.init_with_output, jax.random.key(0), jnp.ones((2, 32, 32, 3)))[0].shape
      (2, 10)
    """

    width: int = 96
    blocks: tuple[int, ...] = (3, 3, 9, 3)
    drop_path: float = 0.1
    layer_scale: float = 1e-6
    num_classes: int = 1000
    act: Activation | None = None
    norm: Norm = LayerNorm()
    dtype: Any = None

    @nn.compact
    def features(self, images: jax.Array, train: bool = False) -> dict[str, jax.Array]:
        """Outputs of the stages by name, `stage1` first: (N, H, W, C) images, 32 pixels at least."""
        smallest = 2 ** (len(self.blocks) + 1)
        if min(images.shape[1:3]) < smallest:
            height, width = images.shape[1:3]
            raise ValueError(
                f"images of {height}×{width}: use a larger input, of {smallest}×{smallest} pixels at least"
            )
        plain = {"norm": self.norm, "dtype": self.dtype}
        x = ConvNorm(self.width, 4, 4, "VALID", use_bias=True, act=None, name="stem", **plain)(images, train)
        stages, done, last = dict[str, jax.Array](), 0, max(1, sum(self.blocks) - 1)
        for index, count in enumerate(self.blocks):
            if index:
                x = Downsample(self.width * 2**index, name=f"downsample{index + 1}", **plain)(x, train)
            blocks = [
                functools.partial(
                    ConvNeXtBlock,
                    self.layer_scale,
                    self.drop_path * (done + block) / last,
                    act=self.act or gelu,
                    **plain,
                )
                for block in range(count)
            ]
            done += count
            name = f"stage{index + 1}"
            x = stages[name] = Stage(blocks, name=name)(x, train)
        return stages

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> jax.Array:
        """(N, H, W, C) images → (N, num_classes) logits."""
        *_, x = self.features(images, train).values()
        x = self.norm(global_avg_pool(x), train=train, name="norm", dtype=self.dtype)
        return nn.Dense(self.num_classes, dtype=self.dtype, name="head")(x) if self.num_classes else x


PAPER = Paper("A ConvNet for the 2020s", 2022, "arXiv:2201.03545")

VARIANTS = {
    "convnext_tiny": Variant(ConvNeXt, {}, PAPER, top1=82.520),
    "convnext_small": Variant(ConvNeXt, {"blocks": (3, 3, 27, 3), "drop_path": 0.4}, PAPER, top1=83.616),
    "convnext_base": Variant(ConvNeXt, {"width": 128, "blocks": (3, 3, 27, 3), "drop_path": 0.5}, PAPER, top1=84.062),
    "convnext_large": Variant(ConvNeXt, {"width": 192, "blocks": (3, 3, 27, 3), "drop_path": 0.5}, PAPER, top1=84.414),
}
