"""torchvision's names of GoogLeNet: modules are lettered as in the paper."""

import string

from zoo.architectures.googlenet import GoogLeNet
from zoo.weights.torch_names.table import Flattened, Table, Tables, conv_norm


def _names(model: GoogLeNet) -> Table:
    table: dict[str, str | Flattened] = {"head": "fc"}
    table |= conv_norm("stem", "conv1") | conv_norm("stage1/conv{n}", "conv{n+1}")
    for stage, rows in enumerate(model.stages, start=2):
        for block, letter in enumerate(string.ascii_lowercase[: len(rows)], start=1):
            ours, theirs = f"stage{stage}/block{block}", f"inception{stage + 1}{letter}"
            table |= conv_norm(f"{ours}/branch1/conv1", f"{theirs}.branch1")
            table |= conv_norm(f"{ours}/branch4/conv1", f"{theirs}.branch4.1")
            table |= conv_norm(f"{ours}/branch{{b}}/conv{{n}}", f"{theirs}.branch{{b}}.{{n-1}}")
    table |= conv_norm("stage3/aux{n}/conv", "aux{n}.conv")
    table |= {
        "stage3/aux1/dense": Flattened("aux1.fc1", 4, 4),
        "stage3/aux2/dense": Flattened("aux2.fc1", 4, 4),
        "stage3/aux{n}/head": "aux{n}.fc2",
    }
    return table


NAMES: Tables = {GoogLeNet: _names}
