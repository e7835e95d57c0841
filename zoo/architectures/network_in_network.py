"""Network in Network: a small network at every position, and a mean over space in place of dense layers.

References: Lin, Chen & Yan, 2013, arXiv:1312.4400; what the mean is good for: Zhou et al., 2015, arXiv:1512.04150.
"""

import functools
from typing import Any

import flax.linen as nn
import jax

from zoo.layers.composite import Activation, ConvNorm
from zoo.layers.convolutions import PointwiseConv
from zoo.layers.normalization import BatchNorm, NoNorm, Norm
from zoo.layers.pooling import avg_pool, global_avg_pool, max_pool
from zoo.layers.residual import Stage
from zoo.variant import Paper, Variant


class NetworkInNetwork(nn.Module):
    """Stages of a convolution and 1×1 convolutions, overlapping 3×3 pooling between them; the mean of the class maps.

    The first pooling takes the largest values, the later ones means; both reach past the end
    rather than drop pixels.

    Attributes:
      stages: kernel size of a stage's first convolution, and the widths of all of its convolutions.
      dropout: rate after each pooling, in [0, 1).
      num_classes: width of the output; 0: the pooled features.
      act: the activation everywhere, that of the class maps included; None: ReLU.
      norm: the normalization of all but the class maps; none in the paper.
      dtype: type of the computation.

    Example:
      >>> import jax.numpy as jnp
      >>> model = NetworkInNetwork(((5, (8, 8)), (3, (16,))))
      >>> jax.eval_shape(model.init_with_output, jax.random.key(0), jnp.ones((2, 32, 32, 3)))[0].shape
      (2, 10)
    """

    stages: tuple[tuple[int, tuple[int, ...]], ...] = ((5, (192, 160, 96)), (5, (192, 192, 192)), (3, (192, 192)))
    dropout: float = 0.5
    num_classes: int = 10
    act: Activation | None = None
    norm: Norm = NoNorm()
    dtype: Any = None

    @nn.compact
    def features(self, images: jax.Array, train: bool = False) -> dict[str, jax.Array]:
        """Outputs of the stages by name, each before its pooling: (N, H, W, C) images, 4 pixels at least."""
        shared = {"act": self.act or nn.relu, "norm": self.norm, "dtype": self.dtype}
        x, outputs = images, dict[str, jax.Array]()
        for index, (kernel_size, widths) in enumerate(self.stages):
            if index:
                x = (max_pool if index == 1 else avg_pool)(x, 3, 2, ceil_mode=True)
                x = nn.Dropout(self.dropout, deterministic=not train, name=f"dropout{index}")(x)
            sizes = (kernel_size,) + (1,) * (len(widths) - 1)
            blocks = [
                functools.partial(ConvNorm, width, size, padding=size // 2, use_bias=True, **shared)
                for width, size in zip(widths, sizes, strict=True)
            ]
            name = f"stage{index + 1}"
            x = outputs[name] = Stage(blocks, name=name)(x, train)
        return outputs

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> jax.Array:
        """(N, H, W, C) images → (N, num_classes) logits."""
        *_, x = self.features(images, train).values()
        if self.num_classes:
            x = (self.act or nn.relu)(PointwiseConv(self.num_classes, dtype=self.dtype, name="head")(x))
        return global_avg_pool(x)


class GAPNet(nn.Module):
    """Stages of a 3×3 and a 1×1 convolution with 2×2 max pooling between them, mean over space, linear head.

    The head weighs channels, not positions, so each class is a weighted sum of the last stage's maps:
    its class activation map.

    Attributes:
      widths: features of each stage; the last is the number of channels that the head weighs.
      num_classes: width of the output; 0: the pooled features.
      act: the activation everywhere; None: ReLU.
      norm: the normalization everywhere.
      dtype: type of the computation.

    Example:
      >>> import jax.numpy as jnp
      >>> jax.eval_shape(GAPNet((8, 16)).init_with_output, jax.random.key(0), jnp.ones((2, 32, 32, 3)))[0].shape
      (2, 10)
    """

    widths: tuple[int, ...] = (32, 64, 128)
    num_classes: int = 10
    act: Activation | None = None
    norm: Norm = BatchNorm()
    dtype: Any = None

    @nn.compact
    def features(self, images: jax.Array, train: bool = False) -> dict[str, jax.Array]:
        """Outputs of the stages by name, each before its pooling: (N, H, W, C) images, 4 pixels at least."""
        shared = {"act": self.act or nn.relu, "norm": self.norm, "dtype": self.dtype}
        x, outputs = images, dict[str, jax.Array]()
        for index, width in enumerate(self.widths):
            x = max_pool(x, 2) if index else x
            name = f"stage{index + 1}"
            blocks = [functools.partial(ConvNorm, width, size, padding=size // 2, **shared) for size in (3, 1)]
            x = outputs[name] = Stage(blocks, name=name)(x, train)
        return outputs

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> jax.Array:
        """(N, H, W, C) images → (N, num_classes) logits."""
        *_, x = self.features(images, train).values()
        x = global_avg_pool(x)
        return nn.Dense(self.num_classes, dtype=self.dtype, name="head")(x) if self.num_classes else x


NIN = Paper("Network In Network", 2013, "arXiv:1312.4400")
CAM = Paper("Learning Deep Features for Discriminative Localization", 2015, "arXiv:1512.04150")

VARIANTS = {
    "network_in_network_cifar10": Variant(
        NetworkInNetwork,
        {},
        NIN,
        (32, 32, 3),
        note="the authors' Caffe layout for CIFAR-10, ReLU on the class maps too",
    ),
    "gap_net": Variant(
        GAPNet, {}, CAM, (32, 32, 3), note="a small one: every class is a weighted sum of the last maps"
    ),
}
