"""Highway networks: layers with a learned gate between transformation and identity.

References: Srivastava, Greff & Schmidhuber, 2015, arXiv:1505.00387 and arXiv:1507.06228.
"""

import functools
from typing import Any

import flax.linen as nn
import jax

from zoo.layers.auxiliary import Chain
from zoo.layers.composite import Activation, ConvNorm
from zoo.layers.normalization import NoNorm, Norm
from zoo.layers.pooling import global_avg_pool, max_pool
from zoo.layers.residual import HighwayBlock
from zoo.variant import Paper, Variant


class HighwayNet(nn.Module):
    """Stages of one plain convolution and highway layers, 2×2 max pooling between them, a 1×1 convolution, mean, head.

    The plain convolution changes the width, which a highway layer cannot. Nothing is flattened, so the
    network is fully convolutional up to the mean.

    Attributes:
      stages: (width, highway layers) of each stage.
      final: features of the 1×1 convolution.
      dropout: rate on the image, after each pooling and before the head, in [0, 1).
      gate_bias: where the gates' biases start; negative: most of the input passes at first.
      num_classes: width of the output; 0: the pooled features.
      act: the activation everywhere but in the gates; None: ReLU.
      norm: the normalization of all but the gates; none in the paper.
      dtype: type of the computation.

    Example:
      >>> import jax.numpy as jnp
      >>> model = HighwayNet(((8, 2), (16, 2)), final=10)
      >>> jax.eval_shape(model.init_with_output, jax.random.key(0), jnp.ones((2, 32, 32, 3)))[0].shape
      (2, 10)
    """

    stages: tuple[tuple[int, int], ...]
    final: int = 100
    dropout: float = 0.2
    gate_bias: float = -2.0
    num_classes: int = 10
    act: Activation | None = None
    norm: Norm = NoNorm()
    dtype: Any = None

    @nn.compact
    def features(self, images: jax.Array, train: bool = False) -> dict[str, jax.Array]:
        """Outputs of the stages by name, each before its pooling: (N, H, W, C) images, 4 pixels at least."""
        shared = {"act": self.act or nn.relu, "norm": self.norm, "dtype": self.dtype}
        x, outputs = images, dict[str, jax.Array]()
        for stage, (width, count) in enumerate(self.stages, start=1):
            x = max_pool(x, 2) if stage > 1 else x
            x = self._drop(x, f"dropout{stage}", train)
            conv = functools.partial(ConvNorm, width, 3, padding=1, use_bias=True, **shared)
            highway = functools.partial(HighwayBlock, width, gate_bias=self.gate_bias, **shared)
            name = f"stage{stage}"
            blocks = tuple((f"block{block}", highway) for block in range(1, count + 1))
            x = outputs[name] = Chain((("conv", conv), *blocks), name=name)(x, train)
        return outputs

    def _drop(self, x: jax.Array, name: str, train: bool) -> jax.Array:
        return nn.Dropout(self.dropout, deterministic=not train, name=name)(x)

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> jax.Array:
        """(N, H, W, C) images → (N, num_classes) logits."""
        *_, x = self.features(images, train).values()
        act = self.act or nn.relu
        x = ConvNorm(self.final, 1, use_bias=True, act=act, norm=self.norm, dtype=self.dtype, name="final")(x, train)
        x = global_avg_pool(x)
        if not self.num_classes:
            return x
        x = self._drop(x, "dropout", train)
        return nn.Dense(self.num_classes, dtype=self.dtype, name="head")(x)


PAPER = Paper("Training Very Deep Networks", 2015, "arXiv:1507.06228")

VARIANTS = {
    "highway19": Variant(
        HighwayNet,
        {"stages": ((32, 4), (80, 5), (128, 5))},
        PAPER,
        (32, 32, 3),
        92.46,
        "19 layers as in the authors' released CIFAR-10 definition: 3 plain and 14 highway convolutions, 1×1, head",
    )
}
