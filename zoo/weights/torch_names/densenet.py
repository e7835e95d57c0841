"""torchvision's names of densely connected networks."""

from zoo.architectures.densenet import DenseNet
from zoo.weights.torch_names.table import Tables

LAYER = "stage{s}/layer{n}"

NAMES: Tables = {
    DenseNet: {
        "stem": "features.conv0",
        "stem/conv": "features.conv0",
        "stem/norm": "features.norm0",
        f"{LAYER}/conv{{c}}/norm": "features.denseblock{s}.denselayer{n}.norm{c}",
        f"{LAYER}/conv{{c}}/conv": "features.denseblock{s}.denselayer{n}.conv{c}",
        "transition{s}/norm": "features.transition{s}.norm",
        "transition{s}/conv": "features.transition{s}.conv",
        "norm": "features.norm5",
        "head": "classifier",
    }
}
