"""Pre-activation residual networks: nothing after the addition, so that shortcuts run through the whole network.

References: He et al., 2016, arXiv:1603.05027; Zagoruyko & Komodakis, 2016, arXiv:1605.07146.
"""

import functools
from collections.abc import Callable
from typing import Any, Literal

import flax.linen as nn
import jax

from zoo.layers.composite import Activation
from zoo.layers.convolutions import Conv
from zoo.layers.normalization import BatchNorm, Norm
from zoo.layers.pooling import global_avg_pool, max_pool
from zoo.layers.residual import PreActivationBlock, PreActivationBottleneckBlock, Stage
from zoo.variant import Paper, Variant


class PreActivationResNet(nn.Module):
    """Bare convolution, stages of pre-activation blocks, normalization, activation, mean over space, linear head.

    Attributes:
      blocks: number of blocks of each stage.
      block: the block's class, from `zoo.layers.residual`.
      width: features of the first stage; each further one doubles them.
      stem: `"imagenet"` (7×7 stride 2 to 64, then 3×3 max pooling stride 2) or `"cifar"` (3×3 stride 1 to 16).
      num_classes: width of the output; 0: the pooled features.
      act: the activation everywhere; None: ReLU.
      norm: the normalization everywhere.
      dtype: type of the computation.

    Example:
      >>> import jax.numpy as jnp
      >>> model = PreActivationResNet((1, 1, 1), PreActivationBlock, width=8, stem="cifar", num_classes=10)
      >>> jax.eval_shape(model.init_with_output, jax.random.key(0), jnp.ones((2, 32, 32, 3)))[0].shape
      (2, 10)
    """

    blocks: tuple[int, ...]
    block: Callable[..., nn.Module] = PreActivationBottleneckBlock
    width: int = 64
    stem: Literal["imagenet", "cifar"] = "imagenet"
    num_classes: int = 1000
    act: Activation | None = None
    norm: Norm = BatchNorm()
    dtype: Any = None

    @nn.compact
    def features(self, images: jax.Array, train: bool = False) -> dict[str, jax.Array]:
        """Outputs of the stages by name, `stage1` first, not yet activated: (N, H, W, C) images, any H and W."""
        bare = functools.partial(Conv, use_bias=False, dtype=self.dtype, kernel_init=nn.initializers.he_normal())
        if self.stem == "imagenet":
            x = max_pool(bare(64, 7, 2, 3, name="stem")(images), 3, 2, padding=1)
        else:
            x = bare(16, 3, 1, 1, name="stem")(images)
        stages = {}
        for index, count in enumerate(self.blocks):
            block = functools.partial(
                self.block, self.width * 2**index, act=self.act or nn.relu, norm=self.norm, dtype=self.dtype
            )
            name = f"stage{index + 1}"
            x = stages[name] = Stage((block,) * count, strides=2 if index else 1, name=name)(x, train)
        return stages

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> jax.Array:
        """(N, H, W, C) images → (N, num_classes) logits."""
        *_, x = self.features(images, train).values()
        x = (self.act or nn.relu)(self.norm(x, train=train, name="norm", dtype=self.dtype))
        x = global_avg_pool(x)
        return nn.Dense(self.num_classes, dtype=self.dtype, name="head")(x) if self.num_classes else x


IDENTITY = Paper("Identity Mappings in Deep Residual Networks", 2016, "arXiv:1603.05027")
WIDE = Paper("Wide Residual Networks", 2016, "arXiv:1605.07146")

VARIANTS = {
    "preact_resnet50": Variant(
        PreActivationResNet, {"blocks": (3, 4, 6, 3)}, IDENTITY, note="stride on the 3×3 convolutions, as in timm"
    ),
    "wide_resnet28_10": Variant(
        PreActivationResNet,
        {"blocks": (4, 4, 4), "block": PreActivationBlock, "width": 160, "stem": "cifar", "num_classes": 10},
        WIDE,
        (32, 32, 3),
        note="without dropout inside the blocks",
    ),
}
