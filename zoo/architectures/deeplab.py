"""DeepLabV3: context at several scales by dilation, without giving up resolution.

Reference: Chen et al., 2017, arXiv:1706.05587.
"""

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from zoo.layers.backbone import DensePrediction
from zoo.layers.composite import Activation, ConvNorm
from zoo.layers.normalization import BatchNorm, Norm
from zoo.layers.pooling import global_avg_pool
from zoo.variant import Paper, Variant


class ASPP(nn.Module):
    """Atrous spatial pyramid pooling: a 1×1, dilated 3×3 convolutions and the mean over space, side by side.

    Attributes:
      features: width of each branch and of the output.
      rates: dilations.
      dropout: rate after the branches are joined, in [0, 1).
      act: the activation.
      norm: the normalization.
      dtype: type of the computation.

    Example:
      >>> layer = ASPP(16, (2, 4))
      >>> jax.eval_shape(layer.init_with_output, jax.random.key(0), jnp.ones((1, 8, 8, 4)))[0].shape
      (1, 8, 8, 16)
    """

    features: int = 256
    rates: tuple[int, ...] = (12, 24, 36)
    dropout: float = 0.5
    act: Activation = nn.relu
    norm: Norm = BatchNorm()
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """(N, H, W, C) → (N, H, W, features)."""
        shared = {"act": self.act, "norm": self.norm, "dtype": self.dtype}
        branches = [ConvNorm(self.features, 1, name="branch1", **shared)(x, train)]
        for index, rate in enumerate(self.rates, start=2):
            conv = ConvNorm(self.features, 3, padding=rate, dilation=rate, name=f"branch{index}", **shared)
            branches.append(conv(x, train))
        mean = ConvNorm(self.features, 1, name="mean", **shared)(global_avg_pool(x)[:, None, None], train)
        branches.append(jnp.broadcast_to(mean, branches[0].shape))
        x = ConvNorm(self.features, 1, name="project", **shared)(jnp.concatenate(branches, axis=-1), train)
        return nn.Dropout(self.dropout, deterministic=not train, name="dropout")(x)


class DeepLabV3(DensePrediction):
    """A dilated backbone, `ASPP`, a 3×3 convolution, a 1×1 convolution to classes, bilinear upsampling.

    Attributes:
      backbone, num_classes, act, norm, dtype: those of `zoo.layers.backbone.OnBackbone`.
      auxiliary: that of `zoo.layers.backbone.DensePrediction`.
      output_stride: the backbone's.
      rates: dilations of `ASPP`.

    Example:
      >>> import zoo
      >>> model = zoo.create("deeplabv3_resnet50", backbone="resnet18", num_classes=2)
      >>> jax.eval_shape(model.init_with_output, jax.random.key(0), jnp.ones((1, 50, 64, 3)))[0].shape
      (1, 50, 64, 2)
    """

    output_stride: int = 8
    rates: tuple[int, ...] = (12, 24, 36)

    def _settings(self) -> dict[str, Any]:
        return super()._settings() | {"output_stride": self.output_stride}

    def _decode(self, stages: Mapping[str, jax.Array], train: bool) -> jax.Array:
        x = ASPP(rates=self.rates, name="aspp", **self._shared)([*stages.values()][-1], train)
        return ConvNorm(x.shape[-1], 3, padding=1, name="decoder", **self._shared)(x, train)


PAPER = Paper("Rethinking Atrous Convolution for Semantic Image Segmentation", 2017, "arXiv:1706.05587")
NOTE = "torchvision's: dilated to stride 8 with rates 12, 24, 36; the figure is mean IoU"

VARIANTS = {
    f"deeplabv3_{backbone}": Variant(DeepLabV3, {"backbone": backbone}, PAPER, (520, 520, 3), iou, NOTE)
    for backbone, iou in (("resnet50", 66.4), ("resnet101", 67.4))
}
