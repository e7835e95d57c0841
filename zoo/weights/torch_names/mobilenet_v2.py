"""torchvision's names of MobileNetV2: blocks are numbered through, layers inside them by position."""

from zoo.architectures.mobilenet_v2 import MobileNetV2
from zoo.weights.torch_names.table import Tables


def _names(model: MobileNetV2) -> dict[str, str]:
    table = {"stem/conv": "features.0.0", "stem/norm": "features.0.1", "head": "classifier.1"}
    index = 1
    for stage, rows in enumerate(model.stages, start=1):
        expansions = [expansion for expansion, _, count in rows for _ in range(count)]
        for block, expansion in enumerate(expansions, start=1):
            ours, theirs = f"stage{stage}/block{block}", f"features.{index}.conv"
            units = ["depthwise"] if expansion == 1 else ["expand", "depthwise"]
            for position, unit in enumerate(units):
                table[f"{ours}/{unit}/conv"] = f"{theirs}.{position}.0"
                table[f"{ours}/{unit}/norm"] = f"{theirs}.{position}.1"
            table[f"{ours}/project/conv"] = f"{theirs}.{len(units)}"
            table[f"{ours}/project/norm"] = f"{theirs}.{len(units) + 1}"
            index += 1
    table["final/conv"] = f"features.{index}.0"
    table["final/norm"] = f"features.{index}.1"
    return table


NAMES: Tables = {MobileNetV2: _names}
