"""Names of EfficientNet in torchvision, efficientnet_pytorch (also of EfficientNet-Lite) and timm."""

import math
from collections.abc import Iterator
from typing import NamedTuple

from zoo.architectures.efficientnet import EfficientNet
from zoo.layers import BatchNorm
from zoo.weights.torch_names.table import Dialect, Dialects, Tables, sequence


class _Block(NamedTuple):
    """One block, and where it is in each implementation.

    Attributes:
      path: ours, with its final slash.
      number: among all blocks, from 0.
      row: of the paper's table, from 0.
      position: within the row, from 0.
      units: our names of its layers, in order.
    """

    path: str
    number: int
    row: int
    position: int
    units: tuple[str, ...]


def _blocks(model: EfficientNet) -> Iterator[_Block]:
    number = table_row = 0
    for stage, rows in enumerate(model.stages, start=1):
        block = 1
        for row in rows:
            expands, gated = row.expansion != 1, bool(model.squeeze)
            inside = ["fused"] if row.fused else ["expand"] * expands + ["depthwise"] + ["attention"] * gated
            units = (*inside, *["project"] * (expands or not row.fused))
            for index in range(math.ceil(row.blocks * model.depth)):
                yield _Block(f"stage{stage}/block{block}/", number, table_row, index, units)
                block, number = block + 1, number + 1
            table_row += 1


def _torchvision(model: EfficientNet) -> dict[str, str]:
    table, rows = {"head": "classifier.1"} | sequence("", "features", ["stem"]), 0
    for block in _blocks(model):
        table |= sequence(block.path, f"features.{block.row + 1}.{block.position}.block", block.units)
        rows = block.row + 1
    return table | {"final/conv": f"features.{rows + 1}.0", "final/norm": f"features.{rows + 1}.1"}


def _numbered(model: EfficientNet) -> dict[str, str]:
    """efficientnet_pytorch's, which has no fused blocks; normalizations are numbered by their convolution."""
    convolutions = {"expand": ("_expand_conv", "_bn0"), "depthwise": ("_depthwise_conv", "_bn1")}
    convolutions["project"] = ("_project_conv", "_bn2")
    table = {"stem/conv": "_conv_stem", "stem/norm": "_bn0", "final/conv": "_conv_head", "final/norm": "_bn1"}
    table["head"] = "_fc"
    for path, number, _, _, units in _blocks(model):
        if "fused" in units:
            return {}
        for unit in units:
            if unit == "attention":
                table |= {f"{path}{unit}/fc1": f"_blocks.{number}._se_reduce"}
                table |= {f"{path}{unit}/fc2": f"_blocks.{number}._se_expand"}
            else:
                conv, norm = convolutions[unit]
                table |= {f"{path}{unit}/conv": f"_blocks.{number}.{conv}"}
                table |= {f"{path}{unit}/norm": f"_blocks.{number}.{norm}"}
    return table


def _timm(model: EfficientNet) -> dict[str, str]:
    table = {"stem/conv": "conv_stem", "stem/norm": "bn1", "final/conv": "conv_head", "final/norm": "bn2"}
    table["head"] = "classifier"
    for path, _, row, index, units in _blocks(model):
        theirs, norm = f"blocks.{row}.{index}", 1
        last = "conv_pwl" if {"expand", "fused"} & {*units} else "conv_pw"
        names = {"expand": "conv_pw", "depthwise": "conv_dw", "project": last}
        names["fused"] = "conv_exp" if "project" in units else "conv"
        for unit in units:
            if unit == "attention":
                table |= {f"{path}{unit}/fc1": f"{theirs}.se.conv_reduce"}
                table |= {f"{path}{unit}/fc2": f"{theirs}.se.conv_expand"}
            else:
                table |= {f"{path}{unit}/conv": f"{theirs}.{names[unit]}", f"{path}{unit}/norm": f"{theirs}.bn{norm}"}
                norm += 1
    return table


def _first(model: EfficientNet) -> dict[str, str]:
    """torchvision's; it has no model without gates."""
    return _torchvision(model) if model.squeeze else _numbered(model)


TENSORFLOW = {"padding": "SAME", "norm": BatchNorm(epsilon=1e-3, momentum=0.99)}

NAMES: Tables = {EfficientNet: _first}
# timm's `efficientnet_*` are padded as ours, its `tf_efficientnet_*` as TensorFlow's, under the same names.
OTHERS: Dialects = {
    EfficientNet: (Dialect("efficientnet_pytorch", _numbered, TENSORFLOW), Dialect("timm", _timm)),
}
