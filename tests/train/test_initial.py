"""A run that starts from another run, or from a file, starts from its numbers and its normalization."""

import json
import signal

import jax
import numpy as np
import pytest
import safetensors.numpy

import train
import zoo
from train import __main__ as command
from train import datasets, initial, loop, run_directory
from zoo.weights.torch import places


@pytest.fixture(scope="module")
def earlier(tmp_path_factory, small):
    out = tmp_path_factory.mktemp("earlier") / "run"
    train.run(small(out, epochs=1), quiet=True)
    return out


@pytest.fixture(scope="module")
def data():
    return datasets.Data.of(datasets.load("digits", 8))


@pytest.fixture
def stops_before_training(monkeypatch):
    """Training itself stops at once; by then the run directory holds what is to be trained."""

    def stop(*_):
        raise train.Interrupted(signal.SIGINT)

    monkeypatch.setattr(loop, "_train", stop)


def test_a_run_goes_on_from_the_numbers_of_another(earlier, small, tmp_path):
    before = train.load(earlier)
    config = small(tmp_path / "run", epochs=1, from_=str(earlier), learning_rate=1e-12, weight_decay=0.0)
    summary = train.run(config, quiet=True)
    after = train.load(tmp_path / "run")
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-7), after.variables, before.variables)
    assert summary.test["accuracy"] == pytest.approx(before.metrics[-1]["test"]["accuracy"])
    assert after.preprocess == before.preprocess
    assert train.run(config, quiet=True) == summary, "a finished run needs its source no more"


def test_a_file_brings_its_normalization_into_the_run(earlier, small, tmp_path, stops_before_training):
    before = train.load(earlier)
    preprocess = zoo.Preprocess((0.25,), (0.5,), size=8)
    zoo.save(tmp_path / "model.safetensors", before.model, before.variables, preprocess)
    config = small(tmp_path / "run", epochs=1, from_=str(tmp_path / "model.safetensors"))
    with pytest.raises(train.Interrupted):
        train.run(config, quiet=True)
    assert run_directory.read_config(tmp_path / "run")[1].preprocess == zoo.Preprocess((0.25,), (0.5,))


def test_another_number_of_classes_gets_a_new_head(small, data, earlier, tmp_path):
    config = small(tmp_path / "run", from_=str(earlier))
    pretrained = initial.read(config, data._replace(classes=("a", "b", "c")))
    assert pretrained.variables["params"]["head"]["kernel"].shape == (16, 3)
    np.testing.assert_array_equal(
        pretrained.variables["params"]["dense1"]["kernel"], train.load(earlier).variables["params"]["dense1"]["kernel"]
    )


def test_published_weights_are_fitted_to_classes_and_channels(data, tmp_path):
    model = zoo.create("resnet20", num_classes=7)
    arrays = {place.key: np.full(place.torch_shape, 0.5, np.float32) for place in places(model, (32, 32, 3))}
    safetensors.numpy.save_file(arrays, tmp_path / "weights.safetensors")
    config = train.Config("resnet20", from_=str(tmp_path / "weights.safetensors"))
    pretrained = initial.read(config, data)
    assert pretrained.model == zoo.create("resnet20", num_classes=10)
    assert pretrained.variables["params"]["stem"]["conv"]["kernel"].shape == (3, 3, 1, 16)
    assert (pretrained.variables["params"]["stem"]["conv"]["kernel"] == 1.5).all()
    assert pretrained.preprocess == data.preprocess


@pytest.mark.parametrize(
    ("source", "message"),
    [("none.pth", "no file none.pth"), ("lenet5", "is a LeNet5, not a MLP"), ("wide", r"does not fit mlp: \d+ array")],
)
def test_refuses_what_does_not_fit_before_anything_is_written(small, tmp_path, source, message):
    if source != "none.pth":
        model = zoo.create("lenet5") if source == "lenet5" else zoo.create("mlp", widths=(17,))
        shapes = jax.eval_shape(
            lambda: zoo.init(model, jax.random.key(0), (32, 32, 1) if source == "lenet5" else (8, 8, 1))
        )
        source = str(tmp_path / f"{source}.safetensors")
        zoo.save(source, model, jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes))
    with pytest.raises(ValueError, match=message):
        train.run(small(tmp_path / "run", from_=source), quiet=True)
    assert not (tmp_path / "run").exists()


def test_the_flag_is_called_from_and_the_rate_is_a_tenth(earlier, tmp_path, capsys, stops_before_training):
    arguments = ["mlp", "--size", "8", "--batch-size", "512", "--epochs", "1", "--set", "widths=(16,)"]
    code = command.main([*arguments, "--from", str(earlier), "--out", str(tmp_path / "run")])
    shown = capsys.readouterr().err
    assert code == 128 + signal.SIGINT, shown
    assert f"fine-tuning from {earlier}: learning rate 0.01, a tenth of the default of sgd" in shown
    config = json.loads((tmp_path / "run" / "config.json").read_text())["config"]
    assert (config["from_"], config["learning_rate"]) == (str(earlier), 0.01)
