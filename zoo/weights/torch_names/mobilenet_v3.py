"""torchvision's names of MobileNetV3: blocks are numbered through, layers inside them by position."""

from zoo.architectures.mobilenet_v3 import MobileNetV3
from zoo.layers.arithmetic import round_channels
from zoo.weights.torch_names.table import Tables, sequence


def _names(model: MobileNetV3) -> dict[str, str]:
    table = {"dense": "classifier.0", "head": "classifier.3"} | sequence("", "features", ["stem"])
    width, index = round_channels(16 * model.width), 1
    for stage, (_, rows) in enumerate(model.stages, start=1):
        for block, row in enumerate(rows, start=1):
            expands = round_channels(row.hidden * model.width) != width
            units = ["expand"] * expands + ["depthwise"] + ["attention"] * row.squeeze + ["project"]
            table |= sequence(f"stage{stage}/block{block}/", f"features.{index}.block", units)
            width, index = round_channels(row.features * model.width), index + 1
    return table | {"final/conv": f"features.{index}.0", "final/norm": f"features.{index}.1"}


NAMES: Tables = {MobileNetV3: _names}
