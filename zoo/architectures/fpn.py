"""Feature pyramid network: strong features at every resolution of a backbone.

References: Lin et al., 2016, arXiv:1612.03144; its segmentation head Kirillov et al., 2019, arXiv:1901.02446.
"""

from collections.abc import Mapping

import flax.linen as nn
import jax

from zoo.layers.backbone import DensePrediction
from zoo.layers.composite import ConvNorm
from zoo.layers.convolutions import Conv, PointwiseConv
from zoo.layers.resize import resize
from zoo.variant import Paper, Variant


class FPN(DensePrediction):
    """A top-down path with lateral connections; every level resized to the finest one, and their sum classified.

    `features` is the pyramid. The logits are those of the semantic branch of a panoptic FPN: a
    3×3 convolution and bilinear doubling for each halving that a level is coarser than the finest,
    the sum of all levels, a 1×1 convolution, bilinear upsampling to the image's size.

    Attributes:
      backbone, num_classes, act, norm, dtype: those of `zoo.layers.backbone.OnBackbone`.
      auxiliary: that of `zoo.layers.backbone.DensePrediction`, from the last level but one.
      width: features of every level.
      head_width: features of the segmentation branch.

    Example:
      >>> import jax.numpy as jnp, zoo
      >>> model = zoo.create("fpn_resnet50", backbone="resnet18", num_classes=2)
      >>> jax.eval_shape(model.init_with_output, jax.random.key(0), jnp.ones((1, 50, 64, 3)))[0].shape
      (1, 50, 64, 2)
    """

    width: int = 256
    head_width: int = 128

    @nn.compact
    def features(self, images: jax.Array, train: bool = False) -> dict[str, jax.Array]:
        """The pyramid, `level1` finest, one level a stage of the backbone: (N, H, W, C) images."""
        stages = [*super().features(images, train).values()]
        levels, x = dict[str, jax.Array](), None
        for index in range(len(stages), 0, -1):
            lateral = PointwiseConv(self.width, dtype=self.dtype, name=f"lateral{index}")(stages[index - 1])
            x = lateral if x is None else lateral + resize(x, lateral.shape[1:3], "nearest")
            levels[f"level{index}"] = Conv(self.width, 3, padding=1, dtype=self.dtype, name=f"level{index}")(x)
        return dict(reversed(levels.items()))

    def _decode(self, stages: Mapping[str, jax.Array], train: bool) -> jax.Array:
        finest, *coarser = stages.values()
        total = self._conv(finest, "draw1", train)
        for index, x in enumerate(coarser, start=2):
            for step in range(1, index):
                x = self._conv(x, f"draw{index}_{step}", train)
                # One halving finer: the size of the level above, at the end that of the finest.
                x = resize(x, [*stages.values()][index - 1 - step].shape[1:3])
            total = total + x
        return total

    def _conv(self, x: jax.Array, name: str, train: bool) -> jax.Array:
        return ConvNorm(self.head_width, 3, padding=1, name=name, **self._shared)(x, train)


PAPER = Paper("Feature Pyramid Networks for Object Detection", 2016, "arXiv:1612.03144")

VARIANTS = {
    "fpn_resnet50": Variant(
        FPN,
        {"backbone": "resnet50"},
        PAPER,
        (512, 512, 3),
        note="`features` is the pyramid (levels 2 to 5 of the paper); logits by the semantic branch of a panoptic FPN",
    )
}
