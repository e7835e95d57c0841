"""A model on top of another one's features: what is handed down, and what is taken over."""

from typing import Any

import flax.linen as nn
import jax

from zoo.layers.composite import Activation
from zoo.layers.normalization import Norm


class OnBackbone(nn.Module):
    """What every model on a backbone shares: its fields, of which those given are the backbone's too.

    `act`, `norm` and `dtype` reach the backbone if they are given, and are the backbone's own if not,
    so that a model and its backbone never disagree.

    Attributes:
      backbone: any module with `features(images, train)`; `zoo.create` takes a catalogued name for it.
      num_classes: width of the output; 0: what the last layer sees.
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
        if not hasattr(self.backbone, "features"):
            raise ValueError(f"backbone={self.backbone!r}: expected a module with `features`, such as ResNet")
        wanted = {name: value for name, value in self._settings().items() if value is not None}
        for name in wanted:
            if not hasattr(self.backbone, name):
                raise ValueError(f"the backbone {type(self.backbone).__name__} has no field {name!r}: use another one")
        if any(getattr(self.backbone, name) != value for name, value in wanted.items()):
            object.__setattr__(self, "backbone", self.backbone.clone(**wanted))
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
