"""Where each golden comes from: PyTorch's implementation, image sizes, and what it calls our stages."""

import collections
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import timm
import torchvision
from torch import nn


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


def _two_tower_alexnet() -> nn.Module:
    conv = functools.partial(nn.Conv2d, padding=1, groups=2)
    across = functools.partial(nn.LocalResponseNorm, 5, alpha=5e-4, beta=0.75, k=2.0)
    layers = {
        "conv1": nn.Conv2d(3, 96, 11, 4),
        "relu1": nn.ReLU(),
        "norm1": across(),
        "pool1": nn.MaxPool2d(3, 2),
        "conv2": nn.Conv2d(96, 256, 5, padding=2, groups=2),
        "relu2": nn.ReLU(),
        "norm2": across(),
        "pool2": nn.MaxPool2d(3, 2),
        "conv3": nn.Conv2d(256, 384, 3, padding=1),
        "relu3": nn.ReLU(),
        "conv4": conv(384, 384, 3),
        "relu4": nn.ReLU(),
        "conv5": conv(384, 256, 3),
        "relu5": nn.ReLU(),
        "pool5": nn.MaxPool2d(3, 2),
        "mean": nn.AdaptiveAvgPool2d(6),
        "flat": nn.Flatten(),
        "fc6": nn.Linear(9216, 4096),
        "relu6": nn.ReLU(),
        "fc7": nn.Linear(4096, 4096),
        "relu7": nn.ReLU(),
        "fc8": nn.Linear(4096, 1000),
    }
    return nn.Sequential(collections.OrderedDict(layers))


_RESNET = {"stem": "relu", "stage1": "layer1", "stage2": "layer2", "stage3": "layer3", "stage4": "layer4"}
_MOBILENET_V2 = {f"stage{s}": f"features.{i}" for s, i in enumerate((1, 3, 6, 13, 17), start=1)}
_VGG11 = {f"stage{s}": f"features.{i}" for s, i in enumerate((1, 4, 9, 14, 19), start=1)}
_VGG16_BN = {f"stage{s}": f"features.{i}" for s, i in enumerate((5, 12, 22, 32, 42), start=1)}
_SQUEEZENET1_0 = {"stem": "features.1", "stage1": "features.5", "stage2": "features.10", "stage3": "features.12"}
_SQUEEZENET1_1 = {"stem": "features.1", "stage1": "features.4", "stage2": "features.7", "stage3": "features.12"}
_ALEXNET = {"stem": "features.1", "stage1": "features.4", "stage2": "features.11"}
_TWO_TOWERS = {"stem": "relu1", "stage1": "relu2", "stage2": "relu5"}
_MOBILENET_V1 = {"stem": "bn1"} | {f"stage{s}": f"blocks.{s - 1}" for s in range(1, 6)}
_MNASNET = {"stem": "layers.2"} | {f"stage{s}": f"layers.{i}" for s, i in enumerate((7, 8, 9, 11, 13), start=1)}
_MOBILENET_V3_SMALL = {f"stage{s}": f"features.{i}" for s, i in enumerate((1, 3, 8, 11), start=1)}
_MOBILENET_V3_LARGE = {f"stage{s}": f"features.{i}" for s, i in enumerate((1, 3, 6, 12, 15), start=1)}
_HRNET = {"stem": "act1", "stem2": "act2"} | {f"stage{s}": f"incre_modules.{s - 1}" for s in range(1, 5)}

SOURCES = {
    "resnet18": Source(_torchvision("resnet18"), _RESNET, sizes=((170, 214), (224, 224))),
    "resnet50": Source(_torchvision("resnet50"), _RESNET),
    "resnext50_32x4d": Source(_torchvision("resnext50_32x4d"), _RESNET),
    "wide_resnet50_2": Source(_torchvision("wide_resnet50_2"), _RESNET),
    "mobilenet_v2": Source(_torchvision("mobilenet_v2"), _MOBILENET_V2),
    "vgg11": Source(_torchvision("vgg11"), _VGG11),
    "vgg16_bn": Source(_torchvision("vgg16_bn"), _VGG16_BN, sizes=((170, 214), (224, 224))),
    "squeezenet1_0": Source(_torchvision("squeezenet1_0"), _SQUEEZENET1_0, sizes=((170, 214), (224, 224))),
    "squeezenet1_1": Source(_torchvision("squeezenet1_1"), _SQUEEZENET1_1),
    "alexnet": Source(_torchvision("alexnet"), _ALEXNET, sizes=((170, 214), (224, 224))),
    "alexnet_two_tower": Source(_two_tower_alexnet, _TWO_TOWERS, sizes=((170, 214), (227, 227))),
    "mobilenet_v1": Source(_timm("mobilenetv1_100"), _MOBILENET_V1, sizes=((170, 214), (224, 224))),
    "mnasnet0_5": Source(_torchvision("mnasnet0_5"), _MNASNET),
    "mnasnet1_0": Source(_torchvision("mnasnet1_0"), _MNASNET, sizes=((170, 214), (224, 224))),
    "mobilenet_v3_small": Source(_torchvision("mobilenet_v3_small"), _MOBILENET_V3_SMALL),
    "mobilenet_v3_large": Source(
        _torchvision("mobilenet_v3_large"), _MOBILENET_V3_LARGE, sizes=((170, 214), (224, 224)), gain=1.6
    ),
    "hrnet_w18": Source(_timm("hrnet_w18"), _HRNET, sizes=((96, 128), (224, 224)), gain=0.7),
}
