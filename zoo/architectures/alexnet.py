"""AlexNet: the two towers of the paper, and the single tower in common use.

References: Krizhevsky, Sutskever & Hinton, 2012, NeurIPS 2012; the single tower: Krizhevsky, 2014, arXiv:1404.5997.
"""

import functools
from typing import Any

import flax.linen as nn
import jax

from zoo.layers.composite import Activation, ConvNorm
from zoo.layers.convolutions import dense_over
from zoo.layers.normalization import LocalResponseNorm, NoNorm, Norm
from zoo.layers.pooling import adaptive_avg_pool, flatten, max_pool
from zoo.layers.residual import Stage
from zoo.variant import Paper, Variant


class AlexNet(nn.Module):
    """Five convolutions, overlapping 3×3 max pooling with stride 2, two dense layers of 4,096, linear head.

    What the last pooling leaves is averaged to 6×6, which is its size on images of the catalogued size.

    Attributes:
      widths: features of the five convolutions.
      padding: of the first convolution, on each side.
      towers: groups of the second, fourth and fifth convolutions; the paper's two graphics cards.
      response_norm: normalize the first two convolutions' outputs across channels, before pooling.
      dropout_first: drop the inputs of the dense layers, not, as the paper does, their outputs.
      dropout: rate at each dense layer, in [0, 1).
      convolutional: the dense layers as convolutions, so that a larger image gives a map of predictions.
      num_classes: width of the output; 0: the last dense layer.
      act: the activation everywhere; None: ReLU.
      norm: another normalization after each convolution; none in the paper.
      dtype: type of the computation.

    Example:
      >>> import jax.numpy as jnp
      >>> model = AlexNet((8, 16, 16, 16, 16), num_classes=10)
      >>> jax.eval_shape(model.init_with_output, jax.random.key(0), jnp.ones((2, 64, 64, 3)))[0].shape
      (2, 10)
    """

    widths: tuple[int, int, int, int, int] = (64, 192, 384, 256, 256)
    padding: int = 2
    towers: int = 1
    response_norm: bool = False
    dropout_first: bool = True
    dropout: float = 0.5
    convolutional: bool = False
    num_classes: int = 1000
    act: Activation | None = None
    norm: Norm = NoNorm()
    dtype: Any = None

    @nn.compact
    def features(self, images: jax.Array, train: bool = False) -> dict[str, jax.Array]:
        """Outputs of the stages by name, each before its pooling: (N, H, W, C) images of 63 pixels, unpadded 67."""
        conv = functools.partial(ConvNorm, use_bias=True, act=self.act or nn.relu, norm=self.norm, dtype=self.dtype)
        first, second, third, fourth, fifth = self.widths
        x = conv(first, 11, 4, self.padding, name="stem")(images, train)
        x = max_pool(self._across(x, "response_norm1"), 3, 2)
        x = stage1 = conv(second, 5, padding=2, groups=self.towers, name="stage1")(x, train)
        x = max_pool(self._across(x, "response_norm2"), 3, 2)
        blocks = [
            functools.partial(conv, width, 3, padding=1, groups=groups)
            for width, groups in ((third, 1), (fourth, self.towers), (fifth, self.towers))
        ]
        return {"stage1": stage1, "stage2": Stage(blocks, name="stage2")(x, train)}

    def _across(self, x: jax.Array, name: str) -> jax.Array:
        return LocalResponseNorm(name=name)(x) if self.response_norm else x

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> jax.Array:
        """(N, H, W, C) images → (N, num_classes) logits; (N, H', W', num_classes) if convolutional."""
        x = max_pool(self.features(images, train)["stage2"], 3, 2)
        x = x if self.convolutional else flatten(adaptive_avg_pool(x, 6))
        for index, window in ((1, 6), (2, 1)):
            dropout = nn.Dropout(self.dropout, deterministic=not train, name=f"dropout{index}")
            x = dropout(x) if self.dropout_first else x
            x = (self.act or nn.relu)(dense_over(x, 4096, window, f"dense{index}", self.dtype))
            x = x if self.dropout_first else dropout(x)
        return dense_over(x, self.num_classes, 1, "head", self.dtype) if self.num_classes else x


TOWERS = Paper("ImageNet Classification with Deep Convolutional Neural Networks", 2012, "NeurIPS 2012")
ONE_TOWER = Paper("One weird trick for parallelizing convolutional neural networks", 2014, "arXiv:1404.5997")

_PAPER = {"widths": (96, 256, 384, 384, 256), "padding": 0, "response_norm": True, "dropout_first": False}

VARIANTS = {
    "alexnet": Variant(AlexNet, {}, ONE_TOWER, top1=56.522, note="torchvision's single tower, without response norm"),
    "alexnet_two_tower": Variant(
        AlexNet,
        _PAPER | {"towers": 2},
        TOWERS,
        (227, 227, 3),
        note="the paper's two towers; 227 pixels, which its 55×55 maps take, for the 224 it prints",
    ),
    "alexnet_ungrouped": Variant(
        AlexNet, _PAPER, TOWERS, (227, 227, 3), note="the paper's widths, every convolution over both towers"
    ),
}
