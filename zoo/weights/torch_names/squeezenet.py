"""torchvision's names of SqueezeNet: stem, pools and Fire modules are numbered through."""

from zoo.architectures.squeezenet import SqueezeNet
from zoo.weights.torch_names.table import Tables


def _names(model: SqueezeNet) -> dict[str, str]:
    table = {"stem/conv": "features.0", "head": "classifier.1"}
    position = 2
    for stage, widths in enumerate(model.stages, start=1):
        for block in range(1, len(widths) + 1):
            for conv in ("squeeze", "expand1x1", "expand3x3"):
                table[f"stage{stage}/block{block}/{conv}/conv"] = f"features.{position + block}.{conv}"
        position += len(widths) + 1
    return table


NAMES: Tables = {SqueezeNet: _names}
