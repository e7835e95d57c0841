"""timm's names of pre-activation residual networks."""

from zoo.architectures.preact_resnet import PreActivationResNet
from zoo.weights.torch_names.table import Pointwise, Tables

BLOCK, THEIRS = "stage{s}/block{b}", "stages.{s-1}.blocks.{b-1}"

NAMES: Tables = {
    PreActivationResNet: {
        "stem": "stem.conv",
        f"{BLOCK}/norm{{n}}": f"{THEIRS}.norm{{n}}",
        f"{BLOCK}/conv{{n}}": f"{THEIRS}.conv{{n}}",
        f"{BLOCK}/shortcut": f"{THEIRS}.downsample.conv",
        "norm": "norm",
        "head": Pointwise("head.fc"),
    }
}
