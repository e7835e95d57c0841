"""torchvision's names of VGG: convolutions, normalizations, activations and pools are numbered through."""

from zoo.architectures.vgg import VGG
from zoo.layers.normalization import NoNorm
from zoo.weights.torch_names.table import Flattened, Tables


def _names(model: VGG) -> dict[str, str | Flattened]:
    table: dict[str, str | Flattened] = {}
    position = 0
    step = 2 if model.norm == NoNorm() else 3
    for stage, count in enumerate(model.convs, start=1):
        for block in range(1, count + 1):
            table[f"stage{stage}/block{block}/conv"] = f"features.{position}"
            table[f"stage{stage}/block{block}/norm"] = f"features.{position + 1}"
            position += step
        position += 1
    table["dense1"] = Flattened("classifier.0", 7, 7)
    table["dense2"] = "classifier.3"
    table["head"] = "classifier.6"
    return table


NAMES: Tables = {VGG: _names}
