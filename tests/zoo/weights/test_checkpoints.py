"""Checkpoints of training: foreign objects, strangers, prefixes, and moving averages beside raw weights."""

import re

import numpy as np
import pytest

from tests.support.torch_files import Global, archive, legacy, old_tensor, tensor
from zoo.weights.files import read_arrays

CHECKPOINTS = {
    "argparse.Namespace": {"args": Global("argparse.Namespace", (), state={"lr": 0.1})},
    "numpy.core.multiarray.scalar": {
        "best": Global("numpy.core.multiarray.scalar", (Global("numpy.dtype", ("f8", 0, 1), state=(3, "<")), "x"))
    },
    "omegaconf.dictconfig.DictConfig": {
        "cfg": Global("omegaconf.dictconfig.DictConfig", (), state={"_content": Global("omegaconf.nodes.AnyNode")})
    },
    "pytorch_lightning.callbacks.ModelCheckpoint": {
        "pytorch-lightning_version": "2.0",
        "callbacks": {Global("pytorch_lightning.callbacks.ModelCheckpoint"): {"best_model_path": "x"}},
        "optimizer_states": [{"state": {0: {"step": 1}}, "param_groups": [{"lr": 0.1}]}],
        "loops": {"fit_loop": {"state_dict": {}}},
    },
}


@pytest.mark.parametrize("write", [archive, legacy])
@pytest.mark.parametrize("name", CHECKPOINTS)
def test_reads_the_arrays_of_a_checkpoint_with_foreign_objects(tmp_path, write, name):
    deep = {"state": {0: {"exp_avg": old_tensor() if write is legacy else tensor()}}}
    value = {"state_dict": {"weight": old_tensor() if write is legacy else tensor()}, "optimizer": deep}
    with pytest.warns(UserWarning, match=f"objects of .*{re.escape(name)}.*, of which nothing was run"):
        arrays = read_arrays(write(tmp_path / "last.ckpt", value | CHECKPOINTS[name]))
    np.testing.assert_array_equal(arrays["weight"], np.arange(6).reshape(2, 3))
    assert len(arrays) == 1


@pytest.mark.parametrize(
    "prefix", ["model.", "net.", "backbone.", "module.", "_orig_mod.", "model.module._orig_mod.backbone."]
)
def test_strips_prefixes_that_all_weights_share_and_lists_strangers(tmp_path, prefix):
    names = {f"{prefix}conv.weight": tensor(), f"{prefix}fc.weight": tensor()}
    assert list(read_arrays(archive(tmp_path / "plain.pth", names))) == ["conv.weight", "fc.weight"]
    strangers = {"n_averaged": tensor((), ()), "criterion.weight": tensor(), "train_acc.total": tensor()}
    with pytest.warns(UserWarning, match="skipped criterion.weight, n_averaged, train_acc.total$"):
        arrays = read_arrays(archive(tmp_path / "more.pth", strangers | names))
    assert list(arrays) == ["conv.weight", "fc.weight"]


def test_keeps_prefixes_that_not_all_weights_share(tmp_path):
    names = {"backbone.conv.weight": tensor(), "classifier.weight": tensor()}
    assert list(read_arrays(archive(tmp_path / "file.pth", names))) == [*names]


RAW, MEAN = tensor(), tensor((2, 3), (0, 0))


@pytest.mark.parametrize(
    "value",
    [
        {"state_dict": {"w.bias": RAW}, "state_dict_ema": {"w.bias": MEAN}},
        {"model": {"w.bias": RAW}, "ema": {"module": {"w.bias": MEAN}}},
        {"net": {"w.bias": RAW}, "model_ema": {"module.w.bias": MEAN}},
        {"state_dict": {"model.w.bias": RAW, "ema_model.w.bias": MEAN}},
        {"state_dict": {"model.w.bias": RAW, "ema_model.module.w.bias": MEAN, "ema_model.n_averaged": tensor((), ())}},
        {"module.net.w.bias": RAW, "module.net_ema.w.bias": MEAN},
    ],
)
@pytest.mark.filterwarnings("ignore:.*skipped n_averaged")
def test_asks_which_of_raw_and_averaged_weights(tmp_path, value):
    path = archive(tmp_path / "file.pth", value)
    with pytest.raises(ValueError, match="holds weights in .* and their moving average in .*choose which='raw' or"):
        read_arrays(path)
    raw, mean = (read_arrays(path, which) for which in ("raw", "ema"))
    np.testing.assert_array_equal(raw["w.bias"], np.arange(6).reshape(2, 3))
    np.testing.assert_array_equal(mean["w.bias"], np.zeros((2, 3)))
    assert len(raw) == len(mean) == 1


def test_takes_averaged_weights_alone(tmp_path):
    for value in ({"ema": {"w.bias": RAW}}, {"ema_model.w.bias": RAW}):
        assert list(read_arrays(archive(tmp_path / "file.pth", value))) == ["w.bias"]
    with pytest.raises(ValueError, match="which='mean' is unknown: expected 'raw' or 'ema'"):
        read_arrays(tmp_path / "file.pth", which="mean")
