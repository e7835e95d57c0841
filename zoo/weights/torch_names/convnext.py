"""torchvision's names of ConvNeXt: stages and what lies between them are numbered through, layers by position."""

from zoo.architectures.convnext import ConvNeXt
from zoo.weights.torch_names.table import Name, Pointwise, Table, Tables


def _names(model: ConvNeXt) -> Table:
    table: dict[str, Name] = {
        "stem/conv": "features.0.0",
        "stem/norm": "features.0.1",
        "norm": "classifier.0",
        "head": "classifier.2",
    }
    for stage in range(1, len(model.blocks) + 1):
        ours, theirs = f"stage{stage}/block{{b}}", f"features.{2 * stage - 1}.{{b-1}}"
        table |= {
            ours: Pointwise(theirs),
            f"{ours}/depthwise": f"{theirs}.block.0",
            f"{ours}/norm": f"{theirs}.block.2",
            f"{ours}/expand": f"{theirs}.block.3",
            f"{ours}/project": f"{theirs}.block.5",
            f"downsample{stage}/norm": f"features.{2 * stage - 2}.0",
            f"downsample{stage}/conv": f"features.{2 * stage - 2}.1",
        }
    return table


NAMES: Tables = {ConvNeXt: _names}
