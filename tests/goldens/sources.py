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


def _segmentation(name: str) -> Callable[[], Any]:
    return _torchvision(name, weights_backbone=None, aux_loss=False)


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


def _network_in_network() -> nn.Module:
    layers = {
        "conv1": nn.Conv2d(3, 192, 5, padding=2),
        "relu1": nn.ReLU(),
        "cccp1": nn.Conv2d(192, 160, 1),
        "relu2": nn.ReLU(),
        "cccp2": nn.Conv2d(160, 96, 1),
        "relu3": nn.ReLU(),
        "pool1": nn.MaxPool2d(3, 2, ceil_mode=True),
        "conv2": nn.Conv2d(96, 192, 5, padding=2),
        "relu4": nn.ReLU(),
        "cccp3": nn.Conv2d(192, 192, 1),
        "relu5": nn.ReLU(),
        "cccp4": nn.Conv2d(192, 192, 1),
        "relu6": nn.ReLU(),
        "pool2": nn.AvgPool2d(3, 2, ceil_mode=True),
        "conv3": nn.Conv2d(192, 192, 3, padding=1),
        "relu7": nn.ReLU(),
        "cccp5": nn.Conv2d(192, 192, 1),
        "relu8": nn.ReLU(),
        "cccp6": nn.Conv2d(192, 10, 1),
        "relu9": nn.ReLU(),
        "mean": nn.AdaptiveAvgPool2d(1),
        "flat": nn.Flatten(),
    }
    return nn.Sequential(collections.OrderedDict(layers))


def _wide_resnet28_10() -> nn.Module:
    """timm's pre-activation network, with basic blocks and the small stem of CIFAR."""
    settings = {"norm_layer": timm.layers.BatchNormAct2d, "conv_layer": timm.layers.create_conv2d}
    model = timm.models.resnetv2.ResNetV2(
        (4, 4, 4), (160, 320, 640), num_classes=10, stem_chs=16, basic=True, bottle_ratio=1.0, **settings
    )
    model.stem = nn.Sequential(collections.OrderedDict(conv=nn.Conv2d(3, 16, 3, padding=1, bias=False)))
    return model


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
_EFFICIENTNET = {"stem": "features.0"} | {f"stage{s}": f"features.{i}" for s, i in enumerate((1, 2, 3, 5, 7), start=1)}
_EFFICIENTNET_V2_S = _EFFICIENTNET | {"stage5": "features.6"}
_DENSENET = {"stem": "features.relu0"} | {f"stage{s}": f"features.denseblock{s}" for s in range(1, 5)}
_SHUFFLENET_V2 = {f"stage{s}": f"stage{s + 1}" for s in range(1, 4)}
_ON_RESNET = {f"backbone/stage{s}": f"backbone.layer{s}" for s in range(1, 5)}
_GOOGLENET = {"stem": "conv1", "stage1": "conv3"} | {
    f"stage{s}": f"inception{name}" for s, name in enumerate(("3b", "4e", "5b"), start=2)
}
_INCEPTION_V3 = {"stem": "Conv2d_2b_3x3", "stage1": "Conv2d_4a_3x3"} | {
    f"stage{s}": f"Mixed_{name}" for s, name in enumerate(("5d", "6e", "7c"), start=2)
}
_INCEPTION_V4 = {"stem": "features.2"} | {f"stage{s}": f"features.{i}" for s, i in enumerate((4, 9, 17, 21), start=1)}
_XCEPTION = {"stem": "act2"} | {f"stage{s}": f"block{b}" for s, b in enumerate((1, 2, 11, 12), start=1)}
_LRASPP = {f"backbone/stage{s}": f"backbone.{i}" for s, i in enumerate((1, 3, 4, 6, 12, 15), start=1)}
_NETWORK_IN_NETWORK = {"stage1": "relu3", "stage2": "relu6", "stage3": "relu8"}
_STAGES = {f"stage{s}": f"stages.{s - 1}" for s in range(1, 5)}
_WIDE = {f"stage{s}": f"stages.{s - 1}" for s in range(1, 4)}
_REGNET = {"stem": "stem"} | {f"stage{s}": f"trunk_output.block{s}" for s in range(1, 5)}
_CONVNEXT = {"stem": "features.0"} | {f"stage{s}": f"features.{2 * s - 1}" for s in range(1, 5)}

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
    "efficientnet_b0": Source(_torchvision("efficientnet_b0"), _EFFICIENTNET, sizes=((170, 214), (224, 224)), gain=2.0),
    "efficientnet_v2_s": Source(_torchvision("efficientnet_v2_s"), _EFFICIENTNET_V2_S, gain=1.1),
    "densenet121": Source(_torchvision("densenet121"), _DENSENET, sizes=((170, 214), (224, 224))),
    "shufflenet_v2_x0_5": Source(_torchvision("shufflenet_v2_x0_5"), _SHUFFLENET_V2),
    "shufflenet_v2_x1_0": Source(_torchvision("shufflenet_v2_x1_0"), _SHUFFLENET_V2, sizes=((170, 214), (224, 224))),
    "fcn_resnet50": Source(_segmentation("fcn_resnet50"), _ON_RESNET, sizes=((66, 90), (170, 214))),
    "deeplabv3_resnet50": Source(
        _segmentation("deeplabv3_resnet50"), _ON_RESNET | {"aspp": "classifier.0"}, sizes=((66, 90), (170, 214))
    ),
    "googlenet": Source(
        _torchvision("googlenet", aux_logits=False, init_weights=False), _GOOGLENET, sizes=((170, 214), (224, 224))
    ),
    "googlenet_aux": Source(_torchvision("googlenet", aux_logits=True, init_weights=False), _GOOGLENET),
    "inception_v3": Source(
        _torchvision("inception_v3", aux_logits=False, init_weights=False),
        _INCEPTION_V3,
        sizes=((170, 214), (299, 299)),
    ),
    "inception_v3_aux": Source(_torchvision("inception_v3", init_weights=False), _INCEPTION_V3),
    "inception_v4": Source(_timm("inception_v4"), _INCEPTION_V4),
    "xception": Source(_timm("legacy_xception"), _XCEPTION, sizes=((170, 214), (299, 299)), gain=1.0),
    "lraspp_mobilenet_v3_large": Source(
        _torchvision("lraspp_mobilenet_v3_large", weights_backbone=None),
        _LRASPP,
        sizes=((66, 90), (170, 214)),
        gain=1.6,
    ),
    "network_in_network_cifar10": Source(_network_in_network, _NETWORK_IN_NETWORK, sizes=((32, 32), (45, 38))),
    "seresnet50": Source(_timm("seresnet50"), _RESNET | {"stem": "act1"}, gain=1.5),
    "preact_resnet50": Source(_timm("resnetv2_50"), {"stem": "stem.conv"} | _STAGES, sizes=((170, 214), (224, 224))),
    "wide_resnet28_10": Source(_wide_resnet28_10, {"stem": "stem.conv"} | _WIDE, sizes=((32, 32), (26, 37))),
    "regnet_x_400mf": Source(_torchvision("regnet_x_400mf"), _REGNET),
    "regnet_y_400mf": Source(_torchvision("regnet_y_400mf"), _REGNET, sizes=((170, 214), (224, 224))),
    # Small features, or an epsilon of 1e-6 would not show.
    "convnext_tiny": Source(_torchvision("convnext_tiny"), _CONVNEXT, sizes=((170, 214), (224, 224)), gain=0.01),
}
