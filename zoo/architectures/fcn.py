"""Fully convolutional networks: a classifier at every position, and its coarse maps upsampled to the image.

Reference: Long, Shelhamer & Darrell, 2014, arXiv:1411.4038.
"""

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from zoo.layers.backbone import Context, DensePrediction, OnBackbone
from zoo.layers.convolutions import Conv, PointwiseConv
from zoo.layers.pooling import max_pool
from zoo.layers.resize import pad_to_multiple
from zoo.layers.transposed import TransposedConv
from zoo.variant import Paper, Variant


class FCN(DensePrediction):
    """A dilated backbone, a 3×3 convolution, a 1×1 convolution to classes, bilinear upsampling.

    Attributes:
      backbone, num_classes, act, norm, dtype: those of `zoo.layers.backbone.OnBackbone`.
      auxiliary: that of `zoo.layers.backbone.DensePrediction`.
      output_stride: the backbone's.

    Example:
      >>> import zoo
      >>> model = zoo.create("fcn_resnet50", backbone="resnet18", num_classes=2)
      >>> jax.eval_shape(model.init_with_output, jax.random.key(0), jnp.ones((1, 50, 64, 3)))[0].shape
      (1, 50, 64, 2)
    """

    output_stride: int = 8

    def _settings(self) -> dict[str, Any]:
        return super()._settings() | {"output_stride": self.output_stride}

    def _decode(self, stages: Mapping[str, jax.Array], train: bool) -> jax.Array:
        return Context(name="decoder", **self._shared)([*stages.values()][-1], train)


class SkipFCN(OnBackbone):
    """VGG with its dense layers as convolutions, scores of finer stages added on the way up to the image's size.

    Images are zero-padded below and on the right to a multiple of 32, all convolutions keep the
    size, and the logits are cropped: nothing else is needed for the resolutions to meet. (The
    authors pad by 100 pixels and crop after each upsampling.) Upsampling is by transposed
    convolutions, which start as bilinear interpolation.

    Attributes:
      backbone, num_classes, act, norm, dtype: those of `zoo.layers.backbone.OnBackbone`; the backbone's
        stages are pooled by 2 after each, as in VGG.
      skips: how many finer stages are used: 0 (FCN-32s), 1 (16s) or 2 (8s).
      width: features of the two convolutions that were dense layers.
      dropout: rate after each of them, in [0, 1).

    Example:
      >>> import zoo
      >>> model = zoo.create("fcn8s_vgg16", backbone="vgg11", width=8, num_classes=2)
      >>> jax.eval_shape(model.init_with_output, jax.random.key(0), jnp.ones((1, 50, 64, 3)))[0].shape
      (1, 50, 64, 2)
    """

    skips: int = 2
    width: int = 4096
    dropout: float = 0.5

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> jax.Array:
        """(N, H, W, C) images → (N, H, W, num_classes) logits; features at 1/32 without classes."""
        if self.skips not in range(3):
            raise ValueError(f"skips={self.skips}: expected 0 (FCN-32s), 1 (FCN-16s) or 2 (FCN-8s)")
        *finer, x = (max_pool(x, 2) for x in self.features(pad_to_multiple(images, 32), train).values())
        for index, kernel_size in enumerate((7, 1), start=1):
            x = Conv(self.width, kernel_size, dtype=self.dtype, name=f"dense{index}")(x)
            x = nn.Dropout(self.dropout, deterministic=not train, name=f"dropout{index}")(self._shared["act"](x))
        if not self.num_classes:
            return x
        x = PointwiseConv(self.num_classes, dtype=self.dtype, name="head")(x)
        for skip in range(1, self.skips + 1):
            score = PointwiseConv(self.num_classes, dtype=self.dtype, name=f"skip{skip}")(finer[-skip])
            x = self._upsample(x, 2, f"up{skip}") + score
        height, width = images.shape[1:3]
        return self._upsample(x, 32 // 2**self.skips, "up")[:, :height, :width]

    def _upsample(self, x: jax.Array, factor: int, name: str) -> jax.Array:
        return TransposedConv(
            features=self.num_classes,
            kernel_size=2 * factor,
            strides=factor,
            use_bias=False,
            kernel_init=bilinear_init,
            dtype=self.dtype,
            name=name,
        )(x)


def bilinear_init(key: jax.Array, shape: tuple[int, ...], dtype: Any = jnp.float32) -> jax.Array:
    """An initializer of transposed convolutions: bilinear interpolation of each channel by half the kernel's size.

    Args:
      key: not used; the result is always the same.
      shape: (height, width, features, C_in) of the kernel.
      dtype: of the result.

    Returns:
      The kernel.

    Example:
      >>> bilinear_init(jax.random.key(0), (4, 4, 1, 1))[0, :, 0, 0].tolist()
      [0.0625, 0.1875, 0.1875, 0.0625]
    """
    *sizes, features, inputs = shape
    lines = [1 - np.abs(np.arange(size) - (size - 1) / 2) / ((size + 1) // 2) for size in sizes]
    return jnp.asarray(np.multiply.outer(np.multiply.outer(*lines), np.eye(features, inputs)), dtype)


PAPER = Paper("Fully Convolutional Networks for Semantic Segmentation", 2014, "arXiv:1411.4038")
TORCHVISION = "torchvision's: dilated to stride 8, one 3×3 convolution, bilinear upsampling; the figure is mean IoU"
PADDED = "zero-padded to a multiple of 32 instead of by 100 pixels; upsampling learned from bilinear"

VARIANTS = {
    f"fcn_{backbone}": Variant(FCN, {"backbone": backbone}, PAPER, (520, 520, 3), iou, TORCHVISION)
    for backbone, iou in (("resnet50", 60.5), ("resnet101", 63.7))
} | {
    f"fcn{32 // 2**skips}s_vgg16": Variant(
        SkipFCN, {"backbone": "vgg16", "skips": skips}, PAPER, (512, 512, 3), note=PADDED
    )
    for skips in range(3)
}
