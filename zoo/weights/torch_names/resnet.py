"""torchvision's names of residual networks, and timm's of their attention."""

from zoo.architectures.resnet import ResNet
from zoo.weights.torch_names.table import Tables

BLOCK = "stage{s}/block{b}"

NAMES: Tables = {
    ResNet: {
        "stem/conv": "conv1",
        "stem/norm": "bn1",
        f"{BLOCK}/conv{{c}}/conv": "layer{s}.{b-1}.conv{c}",
        f"{BLOCK}/conv{{c}}/norm": "layer{s}.{b-1}.bn{c}",
        f"{BLOCK}/shortcut/conv": "layer{s}.{b-1}.downsample.0",
        f"{BLOCK}/shortcut/norm": "layer{s}.{b-1}.downsample.1",
        f"{BLOCK}/attention/fc{{n}}": "layer{s}.{b-1}.se.fc{n}",
        "head": "fc",
    }
}
