"""torchvision's names of FCN."""

from zoo.architectures.fcn import FCN
from zoo.weights.torch_names.table import Nested, Table, Tables

AUXILIARY: Table = {
    "aux/context/conv/conv": "aux_classifier.0",
    "aux/context/conv/norm": "aux_classifier.1",
    "aux/head": "aux_classifier.4",
}

NAMES: Tables = {
    FCN: {
        "backbone": Nested("backbone"),
        "decoder/conv/conv": "classifier.0",
        "decoder/conv/norm": "classifier.1",
        "head": "classifier.4",
        **AUXILIARY,
    }
}
