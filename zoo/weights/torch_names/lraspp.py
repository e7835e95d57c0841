"""torchvision's names of LR-ASPP, whose backbone is a bare sequence there."""

from zoo.architectures.lraspp import LRASPP
from zoo.weights.torch_names.table import Nested, Tables

NAMES: Tables = {
    LRASPP: {
        "backbone": Nested("backbone", without="features."),
        "final/conv": "backbone.16.0",
        "final/norm": "backbone.16.1",
        "branch/conv": "classifier.cbr.0",
        "branch/norm": "classifier.cbr.1",
        "gate": "classifier.scale.1",
        "head": "classifier.high_classifier",
        "low_head": "classifier.low_classifier",
    }
}
