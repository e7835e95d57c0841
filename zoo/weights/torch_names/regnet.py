"""torchvision's names of RegNet."""

from zoo.architectures.regnet import RegNet
from zoo.weights.torch_names.table import Tables

BLOCK, THEIRS = "stage{s}/block{b}", "trunk_output.block{s}.block{s}-{b-1}"
UNITS = {"conv1": "f.a", "conv2": "f.b", "conv3": "f.c", "shortcut": "proj"}

NAMES: Tables = {
    RegNet: {
        f"{BLOCK}/{ours}/{layer}": f"{THEIRS}.{theirs}.{position}"
        for ours, theirs in UNITS.items()
        for position, layer in enumerate(("conv", "norm"))
    }
    | {
        f"{BLOCK}/attention/fc{{n}}": f"{THEIRS}.f.se.fc{{n}}",
        "stem/conv": "stem.0",
        "stem/norm": "stem.1",
        "head": "fc",
    }
}
