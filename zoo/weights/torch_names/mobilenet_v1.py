"""timm's names of MobileNet."""

from zoo.architectures.mobilenet_v1 import MobileNetV1
from zoo.weights.torch_names.table import Tables

BLOCK, THEIRS = "stage{s}/block{b}", "blocks.{s-1}.{b-1}"

NAMES: Tables = {
    MobileNetV1: {
        "stem/conv": "conv_stem",
        "stem/norm": "bn1",
        f"{BLOCK}/depthwise/conv": f"{THEIRS}.conv_dw",
        f"{BLOCK}/depthwise/norm": f"{THEIRS}.bn1",
        f"{BLOCK}/pointwise/conv": f"{THEIRS}.conv_pw",
        f"{BLOCK}/pointwise/norm": f"{THEIRS}.bn2",
        "head": "classifier",
    }
}
