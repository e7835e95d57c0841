"""Where each golden comes from: PyTorch's implementation, image sizes, and what it calls our stages."""

from collections.abc import Callable
from typing import Any, NamedTuple

import timm
import torchvision


class Source(NamedTuple):
    """One golden.

    Attributes:
      build: makes the PyTorch model, without downloading weights.
      stages: {our stage: PyTorch's module}, in forward order.
      sizes: (height, width) of the images; (170, 214) is even and odd at different depths.
      gain: variance of the weights times fan-in.
      channels: of the images.
    """

    build: Callable[[], Any]
    stages: dict[str, str]
    sizes: tuple[tuple[int, int], ...] = ((170, 214),)
    gain: float = 2.0
    channels: int = 3


def _torchvision(name: str, **settings) -> Callable[[], Any]:
    return lambda: torchvision.models.get_model(name, weights=None, **settings)


def _timm(name: str, **settings) -> Callable[[], Any]:
    return lambda: timm.create_model(name, pretrained=False, **settings)


_RESNET = {"stem": "relu", "stage1": "layer1", "stage2": "layer2", "stage3": "layer3", "stage4": "layer4"}
_MOBILENET_V2 = {f"stage{s}": f"features.{i}" for s, i in enumerate((1, 3, 6, 13, 17), start=1)}

SOURCES = {
    "resnet18": Source(_torchvision("resnet18"), _RESNET, sizes=((170, 214), (224, 224))),
    "resnet50": Source(_torchvision("resnet50"), _RESNET),
    "resnext50_32x4d": Source(_torchvision("resnext50_32x4d"), _RESNET),
    "wide_resnet50_2": Source(_torchvision("wide_resnet50_2"), _RESNET),
    "mobilenet_v2": Source(_torchvision("mobilenet_v2"), _MOBILENET_V2),
}
