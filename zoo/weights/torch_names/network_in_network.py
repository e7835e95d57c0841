"""The authors' Caffe names of Network in Network: `conv` for a stage's first convolution, `cccp` for the 1×1 ones."""

from zoo.architectures.network_in_network import NetworkInNetwork
from zoo.weights.torch_names.table import Table, Tables


def _names(model: NetworkInNetwork) -> Table:
    table, number = {}, 0
    for stage, (_, widths) in enumerate(model.stages, start=1):
        table[f"stage{stage}/block1/conv"] = f"conv{stage}"
        for block in range(2, len(widths) + 1):
            number += 1
            table[f"stage{stage}/block{block}/conv"] = f"cccp{number}"
    table["head"] = f"cccp{number + 1}"
    return table


NAMES: Tables = {NetworkInNetwork: _names}
