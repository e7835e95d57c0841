"""torchvision's names of MNASNet: all layers by position, those of the first block in line with the stem's."""

from zoo.architectures.mnasnet import MNASNet
from zoo.weights.torch_names.table import Tables

FIRST_ROW = 8


def _names(model: MNASNet) -> dict[str, str]:
    table = {
        "stem/conv": "layers.0",
        "stem/norm": "layers.1",
        "stage1/block1/depthwise/conv": "layers.3",
        "stage1/block1/depthwise/norm": "layers.4",
        "stage1/block1/project/conv": "layers.6",
        "stage1/block1/project/norm": "layers.7",
        "head": "classifier.1",
    }
    position = FIRST_ROW
    for stage, rows in enumerate(model.stages[1:], start=2):
        block = 1
        for *_, count in rows:
            for index in range(count):
                ours, theirs = f"stage{stage}/block{block}", f"layers.{position}.{index}.layers"
                for unit, place in (("expand", 0), ("depthwise", 3), ("project", 6)):
                    table[f"{ours}/{unit}/conv"] = f"{theirs}.{place}"
                    table[f"{ours}/{unit}/norm"] = f"{theirs}.{place + 1}"
                block += 1
            position += 1
    return table | {"final/conv": f"layers.{position}", "final/norm": f"layers.{position + 1}"}


NAMES: Tables = {MNASNet: _names}
