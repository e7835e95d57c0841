"""torchvision's names of ShuffleNetV2: stages as the paper counts them, layers of the branches by position."""

from zoo.architectures.shufflenet_v2 import ShuffleNetV2
from zoo.weights.torch_names.table import Tables

UNITS = {
    "around_depthwise": ("branch1", 0),
    "around_project": ("branch1", 2),
    "expand": ("branch2", 0),
    "depthwise": ("branch2", 3),
    "project": ("branch2", 5),
}

NAMES: Tables = {
    ShuffleNetV2: {
        f"stage{{s}}/block{{b}}/{unit}/{layer}": f"stage{{s+1}}.{{b-1}}.{branch}.{position + offset}"
        for unit, (branch, position) in UNITS.items()
        for offset, layer in enumerate(("conv", "norm"))
    }
    | {
        "stem/conv": "conv1.0",
        "stem/norm": "conv1.1",
        "final/conv": "conv5.0",
        "final/norm": "conv5.1",
        "head": "fc",
    }
}
