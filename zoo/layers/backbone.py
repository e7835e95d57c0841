"""Models on top of a backbone's features: shared fields, and dense prediction of a class for each pixel."""

from typing import Any

import flax.linen as nn
import jax

from zoo.layers.auxiliary import AuxiliaryHead
from zoo.layers.composite import Activation, ConvNorm
from zoo.layers.convolutions import PointwiseConv
from zoo.layers.normalization import BatchNorm, Norm
from zoo.layers.resize import resize


class OnBackbone(nn.Module):
    """The base of models on a backbone: fields that are shared with the backbone.

    `act`, `norm` and `dtype` replace the backbone's where they are set, and are the backbone's where not,
    so that a model and its backbone never disagree.

    Attributes:
      backbone: any module with `features(images, train)`; `zoo.create` takes a catalogued name for it.
      num_classes: width of the output; 0: the input of the last layer.
      act: the activation everywhere; None: the backbone's, and ReLU above it where that is None too.
      norm: the normalization everywhere; None: the backbone's.
      dtype: type of the computation; None: the backbone's.
    """

    backbone: nn.Module
    num_classes: int = 21
    act: Activation | None = None
    norm: Norm | None = None
    dtype: Any = None

    def __post_init__(self) -> None:
        """Bring the fields of the model and of its backbone together."""
        if not callable(getattr(self.backbone, "features", None)):
            raise ValueError(f"backbone={self.backbone!r}: expected a module with `features`, such as ResNet")
        settings = {name: value for name, value in self._settings().items() if value is not None}
        for name in settings:
            if not hasattr(self.backbone, name):
                raise ValueError(f"the backbone {type(self.backbone).__name__} has no field {name!r}: use another one")
        if any(getattr(self.backbone, name) != value for name, value in settings.items()):
            object.__setattr__(self, "backbone", self.backbone.clone(**settings))
        for name in ("act", "norm", "dtype"):
            object.__setattr__(self, name, getattr(self.backbone, name))
        super().__post_init__()

    def _settings(self) -> dict[str, Any]:
        """The fields of the backbone that this model decides; None: the backbone decides."""
        return {"act": self.act, "norm": self.norm, "dtype": self.dtype}

    @property
    def _shared(self) -> dict[str, Any]:
        """The settings of every `ConvNorm` above the backbone."""
        return {"act": self.act or nn.relu, "norm": self.norm, "dtype": self.dtype}

    def features(self, images: jax.Array, train: bool = False) -> dict[str, jax.Array]:
        """Outputs of the backbone's stages by name."""
        return self.backbone.features(images, train)


class Context(nn.Module):
    """A 3×3 convolution to a quarter of the width, and dropout: the layers before torchvision's pixel classifier.

    Attributes:
      dropout: rate, in [0, 1).
      act: the activation.
      norm: the normalization.
      dtype: type of the computation.
    """

    dropout: float = 0.1
    act: Activation = nn.relu
    norm: Norm = BatchNorm()
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """(N, H, W, C) → (N, H, W, C / 4)."""
        shared = {"act": self.act, "norm": self.norm, "dtype": self.dtype}
        x = ConvNorm(x.shape[-1] // 4, 3, padding=1, name="conv", **shared)(x, train)
        return nn.Dropout(self.dropout, deterministic=not train, name="dropout")(x)


class AuxiliaryMap(AuxiliaryHead, kw_only=True):
    """The auxiliary head of dense prediction: `Context`, then a 1×1 convolution, resized.

    Attributes:
      num_classes, act, norm, dtype: those of `zoo.layers.auxiliary.AuxiliaryHead`.
      sizes: (height, width) of the logits.
    """

    sizes: tuple[int, int]

    def _logits(self, x: jax.Array, train: bool) -> jax.Array:
        x = Context(act=self.act, norm=self.norm, dtype=self.dtype, name="context")(x, train)
        return resize(PointwiseConv(self.num_classes, dtype=self.dtype, name="head")(x), self.sizes)


class DensePrediction(OnBackbone):
    """A backbone, a decoder of its features, a 1×1 convolution to classes, and logits at the image's size.

    Subclasses say in `_decode` what happens between the backbone's stages and the last convolution.

    Attributes:
      auxiliary: while training, also classify the last stage but one, into `aux_logits`.
    """

    auxiliary: bool = False

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> jax.Array:
        """(N, H, W, C) images → (N, H, W, num_classes) logits; features, not resized, without classes."""
        stages = self.features(images, train)
        x = self._decode(stages, train)
        if not self.num_classes:
            return x
        _, height, width, _ = images.shape
        sizes = (height, width)
        if self.auxiliary:
            auxiliary = AuxiliaryMap(num_classes=self.num_classes, sizes=sizes, name="aux", **self._shared)
            auxiliary([*stages.values()][-2], train)
        return resize(PointwiseConv(self.num_classes, dtype=self.dtype, name="head")(x), sizes)

    def _decode(self, stages: dict[str, jax.Array], train: bool) -> jax.Array:
        """The backbone's stages → what the last convolution sees."""
        raise NotImplementedError
