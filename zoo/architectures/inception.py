"""Inception v3 and v4: large kernels factored into small and asymmetric ones, in modules described by data.

References: Szegedy et al., 2015, arXiv:1512.00567; Szegedy et al., 2016, arXiv:1602.07261.
"""

import functools
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax

from zoo.layers.auxiliary import AuxiliaryHead, Chain
from zoo.layers.composite import Activation, ConvNorm
from zoo.layers.inception import Branch, Branches, FactorisedInception, Fork, Pool, Step
from zoo.layers.normalization import BatchNorm, Norm
from zoo.layers.pooling import adaptive_avg_pool, avg_pool, global_avg_pool
from zoo.variant import Paper, Variant

Module = tuple[Branch, ...]
Stages = tuple[tuple[Module, ...], ...]


class InceptionHead(AuxiliaryHead):
    """5×5 means with stride 3, 1×1 convolution to 128, 5×5 convolution to 768, mean over space, linear head.

    A map of less than 17 pixels, whose means would not fill the 5×5 kernel, is averaged to a 5×5 grid instead.
    """

    def _logits(self, x: jax.Array, train: bool) -> jax.Array:
        shared = {"act": self.act, "norm": self.norm, "dtype": self.dtype}
        x = avg_pool(x, 5, 3) if min(x.shape[1:3]) >= 17 else adaptive_avg_pool(x, 5)
        x = ConvNorm(128, 1, name="conv1", **shared)(x, train)
        x = ConvNorm(768, 5, padding="VALID", name="conv2", **shared)(x, train)
        return nn.Dense(self.num_classes, dtype=self.dtype, name="head")(global_avg_pool(x))


class InceptionNet(nn.Module):
    """Stem and stages of inception modules, mean over space, linear head.

    Attributes:
      stem: the modules at half the image's resolution, each a tuple of branches.
      stages: the modules of each stage; the first of each halves the resolution.
      auxiliary: add a head after the third stage that training sows into `aux_logits`.
      dropout: rate before the head, in [0, 1).
      num_classes: width of the outputs; 0: the pooled features, and no auxiliary head.
      act: the activation everywhere; None: ReLU.
      norm: the normalization everywhere.
      dtype: type of the computation.

    Example:
      >>> import jax.numpy as jnp
      >>> halve = ((Step(8, 3, 2, "VALID"),), (Pool("max", 3, 2, "VALID"),))
      >>> model = InceptionNet((halve,), (2 * (halve,),), num_classes=10)
      >>> jax.eval_shape(model.init_with_output, jax.random.key(0), jnp.ones((2, 32, 32, 3)))[0].shape
      (2, 10)
    """

    stem: tuple[Module, ...]
    stages: Stages
    auxiliary: bool = False
    dropout: float = 0.5
    num_classes: int = 1000
    act: Activation | None = None
    norm: Norm = BatchNorm(epsilon=1e-3)
    dtype: Any = None

    @nn.compact
    def features(self, images: jax.Array, train: bool = False) -> dict[str, jax.Array]:
        """Outputs of the stages by name, `stage1` first: (N, H, W, C) images, 75 pixels at least."""
        shared = {"act": self.act or nn.relu, "norm": self.norm, "dtype": self.dtype}
        x, outputs = images, dict[str, jax.Array]()
        for stage, modules in enumerate((self.stem, *self.stages)):
            links: list[tuple[str, Callable[..., nn.Module]]] = [
                (f"block{block}", functools.partial(Branches, branches=module, **shared))
                for block, module in enumerate(modules, start=1)
            ]
            if stage == 3 and self.auxiliary and self.num_classes:
                links.append(("aux", functools.partial(InceptionHead, num_classes=self.num_classes, **shared)))
            name = f"stage{stage}" if stage else "stem"
            x = outputs[name] = Chain(tuple(links), name=name)(x, train)
        del outputs["stem"]
        return outputs

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> jax.Array:
        """(N, H, W, C) images → (N, num_classes) logits."""
        *_, x = self.features(images, train).values()
        x = global_avg_pool(x)
        if not self.num_classes:
            return x
        x = nn.Dropout(self.dropout, deterministic=not train, name="dropout")(x)
        return nn.Dense(self.num_classes, dtype=self.dtype, name="head")(x)


def _conv(features: int, kernel_size: int = 3, strides: int = 1, padding: str = "VALID") -> Module:
    return ((Step(features, kernel_size, strides, padding),),)


def _half(features: int) -> Step:
    return Step(features, 3, 2, "VALID")


POOL = Pool("max", 3, 2, "VALID")
STEM: tuple[Module, ...] = (_conv(32, strides=2), _conv(32), _conv(64, padding="SAME"))


def _five(pool: int) -> Module:
    return (Step(64),), (Step(48), Step(64, 5)), (Step(64), Step(96, 3), Step(96, 3)), (Pool("avg"), Step(pool))


def _seven(thin: int) -> Module:
    return FactorisedInception(192, (thin, 192), (thin, 192), 192, "asymmetric").branches


_EIGHT = FactorisedInception(320, (384, 384), (448, 384), 192, "expanded").branches

# As TensorFlow and torchvision have it: the first stages are not quite those of the paper's table 1.
V3: Stages = (
    (((POOL,),), _conv(80, 1), _conv(192)),
    (((POOL,),), _five(32), _five(64), _five(64)),
    (
        ((_half(384),), (Step(64), Step(96, 3), _half(96)), (POOL,)),
        *map(_seven, (128, 160, 160, 192)),
    ),
    (
        ((Step(192), _half(320)), (Step(192), Step(192, (1, 7)), Step(192, (7, 1)), _half(192)), (POOL,)),
        _EIGHT,
        _EIGHT,
    ),
)

# timm's averages of Inception v4 leave the padding out; torchvision's of v3 count it as zeros.
INSIDE = Pool("avg", count_include_pad=False)
_FORK = Fork((Step(256, (1, 3)), Step(256, (3, 1))))

# Figures 3 to 9 of the paper.
_A: Module = (
    (Step(96),),
    (Step(64), Step(96, 3)),
    (Step(64), Step(96, 3), Step(96, 3)),
    (INSIDE, Step(96)),
)
_B: Module = (
    (Step(384),),
    (Step(192), Step(224, (1, 7)), Step(256, (7, 1))),
    (Step(192), Step(192, (7, 1)), Step(224, (1, 7)), Step(224, (7, 1)), Step(256, (1, 7))),
    (INSIDE, Step(128)),
)
_C: Module = (
    (Step(256),),
    (Step(384), _FORK),
    (Step(384), Step(448, (3, 1)), Step(512, (1, 3)), _FORK),
    (INSIDE, Step(256)),
)
V4: Stages = (
    (
        ((POOL,), (_half(96),)),
        (
            (Step(64), Step(96, 3, padding="VALID")),
            (Step(64), Step(64, (1, 7)), Step(64, (7, 1)), Step(96, 3, padding="VALID")),
        ),
    ),
    (((_half(192),), (POOL,)), *4 * (_A,)),
    (((_half(384),), (Step(192), Step(224, 3), _half(256)), (POOL,)), *7 * (_B,)),
    (
        ((Step(192), _half(192)), (Step(256), Step(256, (1, 7)), Step(320, (7, 1)), _half(320)), (POOL,)),
        *3 * (_C,),
    ),
)

PAPER_V3 = Paper("Rethinking the Inception Architecture for Computer Vision", 2015, "arXiv:1512.00567")
PAPER_V4 = Paper(
    "Inception-v4, Inception-ResNet and the Impact of Residual Connections on Learning", 2016, "arXiv:1602.07261"
)
SIZE = (299, 299, 3)
NOTE = "the modules of TensorFlow and torchvision, without the latter's transform_input"
_V3 = {"stem": STEM, "stages": V3}

VARIANTS = {
    "inception_v3": Variant(InceptionNet, _V3, PAPER_V3, SIZE, 77.294, NOTE),
    "inception_v3_aux": Variant(
        InceptionNet, _V3 | {"auxiliary": True}, PAPER_V3, SIZE, note=f"{NOTE}; with the auxiliary head"
    ),
    "inception_v4": Variant(
        InceptionNet,
        {"stem": STEM, "stages": V4, "dropout": 0.2},
        PAPER_V4,
        SIZE,
        80.14,
        "timm's; averages leave the padding out",
    ),
}
