"""torchvision's names of EfficientNet: rows are numbered through, layers inside their blocks by position."""

import math

from zoo.architectures.efficientnet import EfficientNet
from zoo.weights.torch_names.table import Tables, sequence


def _names(model: EfficientNet) -> dict[str, str]:
    table = {"head": "classifier.1"} | sequence("", "features", ["stem"])
    number = 1
    for stage, rows in enumerate(model.stages, start=1):
        block = 1
        for row in rows:
            expands = row.expansion != 1
            inside = ["fused"] if row.fused else ["expand"] * expands + ["depthwise", "attention"]
            units = inside + ["project"] * (expands or not row.fused)
            for index in range(math.ceil(row.blocks * model.depth)):
                table |= sequence(f"stage{stage}/block{block}/", f"features.{number}.{index}.block", units)
                block += 1
            number += 1
    return table | {"final/conv": f"features.{number}.0", "final/norm": f"features.{number}.1"}


NAMES: Tables = {EfficientNet: _names}
