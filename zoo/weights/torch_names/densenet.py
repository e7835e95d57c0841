"""torchvision's names of densely connected networks: those of its code, and the older ones of its published files."""

from zoo.architectures.densenet import DenseNet
from zoo.weights.torch_names.table import Dialect, Dialects, Tables

LAYER = "stage{s}/layer{n}"


def _table(separator: str) -> dict[str, str]:
    layer = "features.denseblock{s}.denselayer{n}."
    return {
        "stem": "features.conv0",
        "stem/conv": "features.conv0",
        "stem/norm": "features.norm0",
        f"{LAYER}/conv{{c}}/norm": f"{layer}norm{separator}{{c}}",
        f"{LAYER}/conv{{c}}/conv": f"{layer}conv{separator}{{c}}",
        "transition{s}/norm": "features.transition{s}.norm",
        "transition{s}/conv": "features.transition{s}.conv",
        "norm": "features.norm5",
        "head": "classifier",
    }


NAMES: Tables = {DenseNet: _table("")}
OTHERS: Dialects = {DenseNet: (Dialect("torchvision's files", _table(".")),)}
