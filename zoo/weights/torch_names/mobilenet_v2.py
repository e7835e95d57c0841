"""Names of MobileNetV2 in torchvision and in tonylins' pytorch-mobilenet-v2: layers by position, blocks numbered."""

from zoo.architectures.mobilenet_v2 import MobileNetV2
from zoo.weights.torch_names.table import Dialect, Dialects, Tables


def _torchvision(model: MobileNetV2) -> dict[str, str]:
    return _names(model, "classifier.1", flat=False)


def _tonylins(model: MobileNetV2) -> dict[str, str]:
    return _names(model, "classifier", flat=True)


def _names(model: MobileNetV2, head: str, flat: bool) -> dict[str, str]:
    """The table; `flat`: layers of a block in one sequence, where an activation has a number of its own."""
    table = {"stem/conv": "features.0.0", "stem/norm": "features.0.1", "head": head}
    index = 1
    for stage, rows in enumerate(model.stages, start=1):
        expansions = [expansion for expansion, _, count in rows for _ in range(count)]
        for block, expansion in enumerate(expansions, start=1):
            ours, theirs = f"stage{stage}/block{block}", f"features.{index}.conv"
            units = ["depthwise"] if expansion == 1 else ["expand", "depthwise"]
            for position, unit in enumerate(units):
                conv, norm = (3 * position, 3 * position + 1) if flat else (f"{position}.0", f"{position}.1")
                table |= {f"{ours}/{unit}/conv": f"{theirs}.{conv}", f"{ours}/{unit}/norm": f"{theirs}.{norm}"}
            project = len(units) * (3 if flat else 1)
            table[f"{ours}/project/conv"] = f"{theirs}.{project}"
            table[f"{ours}/project/norm"] = f"{theirs}.{project + 1}"
            index += 1
    table["final/conv"] = f"features.{index}.0"
    table["final/norm"] = f"features.{index}.1"
    return table


NAMES: Tables = {MobileNetV2: _torchvision}
OTHERS: Dialects = {MobileNetV2: (Dialect("tonylins", _tonylins),)}
