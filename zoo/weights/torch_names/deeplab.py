"""torchvision's names of DeepLabV3."""

from zoo.architectures.deeplab import DeepLabV3
from zoo.weights.torch_names.fcn import AUXILIARY
from zoo.weights.torch_names.table import Nested, Table, Tables


def _names(model: DeepLabV3) -> Table:
    return {
        "backbone": Nested("backbone"),
        "aspp/branch{i}/conv": "classifier.0.convs.{i-1}.0",
        "aspp/branch{i}/norm": "classifier.0.convs.{i-1}.1",
        "aspp/mean/conv": f"classifier.0.convs.{len(model.rates) + 1}.1",
        "aspp/mean/norm": f"classifier.0.convs.{len(model.rates) + 1}.2",
        "aspp/project/conv": "classifier.0.project.0",
        "aspp/project/norm": "classifier.0.project.1",
        "decoder/conv": "classifier.1",
        "decoder/norm": "classifier.2",
        "head": "classifier.4",
        **AUXILIARY,
    }


NAMES: Tables = {DeepLabV3: _names}
