"""timm's names of Xception (`legacy_xception`): blocks are numbered through, layers in them by position."""

from zoo.architectures.xception import Xception
from zoo.weights.torch_names.table import Table, Tables


def _separable(ours: str, conv: str, norm: str) -> dict[str, str]:
    return {
        f"{ours}/conv/depthwise": f"{conv}.conv1",
        f"{ours}/conv/pointwise": f"{conv}.pointwise",
        f"{ours}/norm": norm,
    }


def _names(model: Xception) -> Table:
    table = {"stem/conv{n}/conv": "conv{n}", "stem/conv{n}/norm": "bn{n}", "head": "fc"}
    number = 0
    for stage, rows in enumerate(model.stages, start=1):
        for block, widths in enumerate(rows, start=1):
            number += 1
            ours, theirs = f"stage{stage}/block{block}", f"block{number}"
            first = 0 if stage == 1 else 1
            for conv in range(len(widths)):
                position = first + 3 * conv
                table |= _separable(
                    f"{ours}/conv{conv + 1}", f"{theirs}.rep.{position}", f"{theirs}.rep.{position + 1}"
                )
            table |= {f"{ours}/shortcut/conv": f"{theirs}.skip", f"{ours}/shortcut/norm": f"{theirs}.skipbn"}
    return table | _separable("final{n}", "conv{n+2}", "bn{n+2}")


NAMES: Tables = {Xception: _names}
