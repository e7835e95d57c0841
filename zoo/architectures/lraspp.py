"""LR-ASPP: segmentation for mobile phones, two resolutions and a gate from the whole image.

Reference: Howard et al., 2019, arXiv:1905.02244, section 6.4.
"""

import flax.linen as nn
import jax

from zoo.layers.backbone import OnBackbone
from zoo.layers.composite import ConvNorm
from zoo.layers.convolutions import PointwiseConv
from zoo.layers.normalization import BatchNorm, Norm
from zoo.layers.pooling import global_avg_pool
from zoo.layers.resize import resize
from zoo.variant import Paper, Variant


class LRASPP(OnBackbone):
    """Coarse features, gated by their mean over space, and fine ones: each classified, and added.

    Attributes:
      backbone, num_classes, act, norm, dtype: those of `zoo.layers.backbone.OnBackbone`.
      low: stage of the backbone that gives the fine features.
      expansion: width of the 1×1 convolution after the last stage, in widths of that stage.
      width: features of the gated branch.
      head_norm: its normalization, until `norm` is given; None: `norm`.

    Example:
      >>> import jax.numpy as jnp, zoo
      >>> model = zoo.create("lraspp_mobilenet_v3_large", num_classes=2)
      >>> jax.eval_shape(model.init_with_output, jax.random.key(0), jnp.ones((1, 50, 64, 3)))[0].shape
      (1, 50, 64, 2)
    """

    low: str = "stage3"
    expansion: int = 6
    width: int = 128
    head_norm: Norm | None = None

    def __post_init__(self) -> None:
        """Let a `norm` that is not the backbone's own replace that of the head too."""
        if self.norm not in (None, getattr(self.backbone, "norm", None)):
            object.__setattr__(self, "head_norm", None)
        super().__post_init__()

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> jax.Array:
        """(N, H, W, C) images → (N, H, W, num_classes) logits; features at the fine resolution without classes."""
        stages = self.features(images, train)
        if self.low not in stages:
            raise ValueError(f"low={self.low!r} is no stage of the backbone: it has {', '.join(stages)}")
        fine, (*_, coarse) = stages[self.low], stages.values()
        final = self._shared | {"act": self.act or nn.hard_swish}
        coarse = ConvNorm(self.expansion * coarse.shape[-1], 1, name="final", **final)(coarse, train)
        branch = self._shared | {"norm": self.head_norm or self.norm}
        x = ConvNorm(self.width, 1, name="branch", **branch)(coarse, train)
        mean = global_avg_pool(coarse)[:, None, None]
        x = x * nn.sigmoid(PointwiseConv(self.width, use_bias=False, dtype=self.dtype, name="gate")(mean))
        x = resize(x, fine.shape[1:3])
        if not self.num_classes:
            return x
        x = PointwiseConv(self.num_classes, dtype=self.dtype, name="head")(x)
        x = x + PointwiseConv(self.num_classes, dtype=self.dtype, name="low_head")(fine)
        return resize(x, images.shape[1:3])


PAPER = Paper("Searching for MobileNetV3", 2019, "arXiv:1905.02244")

VARIANTS = {
    "lraspp_mobilenet_v3_large": Variant(
        LRASPP,
        {"backbone": "mobilenet_v3_large_dilated", "head_norm": BatchNorm()},
        PAPER,
        (520, 520, 3),
        57.9,
        "torchvision's: dilated to stride 16, epsilon 1e-5 in the head's normalization; the figure is mean IoU",
    )
}
