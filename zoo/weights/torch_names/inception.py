"""torchvision's names of Inception v3, and timm's of Inception v4."""

from collections.abc import Iterator

from zoo.architectures.inception import V3, V4, InceptionNet
from zoo.layers.inception import Branch, Fork, Pool
from zoo.weights.torch_names.table import Table, Tables, conv_norm

MODULES_V3 = (
    ("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3"),
    ("maxpool1", "Conv2d_3b_1x1", "Conv2d_4a_3x3"),
    ("maxpool2", "Mixed_5b", "Mixed_5c", "Mixed_5d"),
    ("Mixed_6a", "Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"),
    ("Mixed_7a", "Mixed_7b", "Mixed_7c"),
)
# The branches of a module, or of all that begin like it, in our order.
BRANCHES_V3 = {
    "Mixed_5": ("branch1x1", "branch5x5", "branch3x3dbl", "branch_pool"),
    "Mixed_6": ("branch1x1", "branch7x7", "branch7x7dbl", "branch_pool"),
    "Mixed_7": ("branch1x1", "branch3x3", "branch3x3dbl", "branch_pool"),
    "Mixed_6a": ("branch3x3", "branch3x3dbl"),
    "Mixed_7a": ("branch3x3", "branch7x7x3"),
}


def _convs(branch: Branch) -> Iterator[tuple[int, str, int]]:
    """(number, letter in a fork, position among all steps) of every convolution of a branch."""
    number = 0
    for position, step in enumerate(branch):
        if not isinstance(step, Pool):
            number += 1
            for letter in "ab" if isinstance(step, Fork) else ("",):
                yield number, letter, position


def _v3(model: InceptionNet) -> Table:
    table = {"stage3/aux/head": "AuxLogits.fc", "head": "fc"} | conv_norm("stage3/aux/conv{n}", "AuxLogits.conv{n-1}")
    for ours, modules, names in zip(_stages(model), (model.stem, *model.stages), MODULES_V3, strict=True):
        for block, (module, name) in enumerate(zip(modules, names, strict=True), start=1):
            branches = BRANCHES_V3.get(name, BRANCHES_V3.get(name[:-1], ()))
            for index, branch in enumerate(module):
                convs = list(_convs(branch))
                for number, letter, _ in convs:
                    theirs = f"{name}.{branches[index]}" if branches else name
                    suffix = f"_{number}{letter}" if len(convs) > 1 else ""
                    table |= conv_norm(f"{ours}/block{block}/branch{index + 1}/conv{number}{letter}", theirs + suffix)
    return table


def _v4(model: InceptionNet) -> Table:
    table = {"head": "last_linear"}
    at = 0
    for ours, modules in zip(_stages(model), (model.stem, *model.stages), strict=True):
        for block, module in enumerate(modules, start=1):
            alone = sum(len(list(_convs(branch))) for branch in module) == 1
            for index, branch in enumerate(module):
                forked = any(isinstance(step, Fork) for step in branch)
                for number, letter, position in _convs(branch):
                    if alone:
                        theirs = "" if ours == "stem" else ".conv"
                    elif forked:
                        theirs = f".branch{index}_{number - 1}{letter}"
                    else:
                        theirs = f".branch{index}" + (f".{position}" if len(branch) > 1 else "")
                    place = f"{ours}/block{block}/branch{index + 1}/conv{number}{letter}"
                    table |= conv_norm(place, f"features.{at}{theirs}")
            at += 1
    return table


def _stages(model: InceptionNet) -> list[str]:
    return ["stem"] + [f"stage{stage}" for stage in range(1, len(model.stages) + 1)]


def _names(model: InceptionNet) -> Table:
    tables = {V3: _v3, V4: _v4}
    if model.stages not in tables:
        raise ValueError("PyTorch names are known for the stages of inception_v3 and inception_v4, not for others")
    return tables[model.stages](model)


NAMES: Tables = {InceptionNet: _names}
