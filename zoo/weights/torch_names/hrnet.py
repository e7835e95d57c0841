"""timm's names of HRNet."""

from zoo.architectures.hrnet import HRNet
from zoo.weights.torch_names.table import Table, Tables


def _block(ours: str, theirs: str) -> Table:
    return {
        f"{ours}/block{{b}}/conv{{c}}/conv": f"{theirs}.{{b-1}}.conv{{c}}",
        f"{ours}/block{{b}}/conv{{c}}/norm": f"{theirs}.{{b-1}}.bn{{c}}",
        f"{ours}/block{{b}}/shortcut/conv": f"{theirs}.{{b-1}}.downsample.0",
        f"{ours}/block{{b}}/shortcut/norm": f"{theirs}.{{b-1}}.downsample.1",
    }


def _conv(ours: str, theirs: str) -> Table:
    return {f"{ours}/conv": f"{theirs}.0", f"{ours}/norm": f"{theirs}.1"}


MODULE = "trunk/stage{s}_module{m}"

NAMES: Tables = {
    HRNet: {
        "stem/conv": "conv1",
        "stem/norm": "bn1",
        "stem2/conv": "conv2",
        "stem2/norm": "bn2",
        **_block("trunk/stage1", "layer1"),
        **_conv("trunk/transition1_1", "transition1.0"),
        **_conv("trunk/transition{t}_{i}", "transition{t}.{i-1}.0"),
        **_block(f"{MODULE}_branch{{i}}", "stage{s}.{m-1}.branches.{i-1}"),
        **_conv(f"{MODULE}_exchange/from{{j}}_to{{i}}", "stage{s}.{m-1}.fuse_layers.{i-1}.{j-1}"),
        **_conv(f"{MODULE}_exchange/from{{j}}_to{{i}}_conv{{k}}", "stage{s}.{m-1}.fuse_layers.{i-1}.{j-1}.{k-1}"),
        **_block("stage{s}", "incre_modules.{s-1}"),
        **_conv("down{i}", "downsamp_modules.{i-1}"),
        **_conv("final", "final_layer"),
        "head": "classifier",
    }
}
