"""One file is a whole model, and reading it runs nothing of it."""

import json
import re
from pathlib import Path

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors
import safetensors.numpy

import zoo
from zoo.architectures.resnet import ResNet
from zoo.layers.attention import SqueezeExcite
from zoo.layers.normalization import GroupNorm
from zoo.layers.residual import BasicBlock
from zoo.weights import codec
from zoo.weights.codec import decode, encode, stable_names

TINY = ResNet(
    (1, 1),
    BasicBlock,
    width=8,
    stem="cifar",
    attention=SqueezeExcite,
    num_classes=3,
    act=nn.gelu,
    norm=GroupNorm(4),
)
PREPROCESS = zoo.Preprocess((0.5, 0.4, 0.3), (0.2, 0.3, 0.4), 24, "bicubic", 28)


def numbers(model: nn.Module, shape=(32, 32, 3)):
    generator = np.random.default_rng(0)
    shapes = jax.eval_shape(lambda: zoo.init(model, jax.random.key(0), shape))
    return jax.tree.map(lambda leaf: jnp.asarray(generator.standard_normal(leaf.shape), leaf.dtype), shapes)


@pytest.fixture
def saved(tmp_path):
    variables = numbers(TINY)
    zoo.save(tmp_path / "tiny.safetensors", TINY, variables, PREPROCESS)
    return tmp_path / "tiny.safetensors", variables


def test_gives_back_what_was_saved(saved):
    path, variables = saved
    model, found, preprocess = zoo.load(path)
    assert (model, preprocess) == (TINY, PREPROCESS)
    assert hash(model) == hash(TINY)
    assert jax.tree.structure(found) == jax.tree.structure(variables)
    same = jax.tree.map(lambda a, b: a.dtype == b.dtype and a.tobytes() == b.tobytes(), found, variables)
    assert jax.tree.all(same)


def test_types_of_numbers_are_kept(tmp_path):
    model = zoo.create("lenet5")
    variables = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), numbers(model, (32, 32, 1)))
    zoo.save(tmp_path / "a", model, variables)
    found = zoo.load(tmp_path / "a").variables
    assert found["params"]["head"]["kernel"].dtype == jnp.bfloat16
    assert jax.tree.all(jax.tree.map(lambda a, b: a.tobytes() == b.tobytes(), found, variables))


def test_the_same_model_gives_the_same_bytes(saved, tmp_path):
    path, variables = saved
    zoo.save(tmp_path / "again.safetensors", TINY, variables, PREPROCESS)
    assert path.read_bytes() == (tmp_path / "again.safetensors").read_bytes()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["again.safetensors", "tiny.safetensors"]


@pytest.mark.parametrize("name", zoo.list_models())
def test_every_catalogued_model_is_data(name):
    model = zoo.create(name)
    assert decode(json.loads(json.dumps(encode(model)))) == model


def test_types_are_data():
    model = zoo.create("lenet5", dtype=jnp.bfloat16)
    assert decode(json.loads(json.dumps(encode(model)))) == model


def test_a_file_of_format_1_loads():
    path = Path(__file__).parents[2] / "goldens" / "saved_format_1.safetensors"
    assert header(path)["format"] == 1
    assert "layers.residual.BasicBlock" in json.dumps(header(path))
    model, variables, preprocess = zoo.load(path)
    assert (model, preprocess) == (TINY, PREPROCESS)
    equal = jax.tree.map(lambda a, b: a.dtype == b.dtype and a.tobytes() == b.tobytes(), variables, numbers(TINY))
    assert jax.tree.all(equal)


@pytest.mark.parametrize("name", sorted(codec.FORMAT_1_EXCEPTIONS))
def test_exceptions_of_format_1_keep_their_meaning(name):
    module, _, attribute = name.rpartition(".")
    entry = stable_names()[codec.FORMAT_1_EXCEPTIONS[name]]
    assert (entry.__module__, entry.__name__) == (f"zoo.{module}", attribute)
    assert decode({"kind": "class" if isinstance(entry, type) else "function", "name": name}) is entry


def test_every_class_and_function_round_trips_by_a_name_without_a_module_path():
    for name, entry in stable_names().items():
        data = encode(entry)
        assert data["name"] == name
        assert re.fullmatch(r"\w+", name)
        assert decode(data) is entry


def test_a_file_holds_no_module_path(saved):
    path, _ = saved
    text = json.dumps({key: value for key, value in header(path).items() if key != "sha256"})
    assert "zoo." not in text
    assert "layers." not in text
    assert "architectures." not in text


def test_a_name_used_twice_is_refused(monkeypatch):
    monkeypatch.setattr(codec, "EXCEPTIONS", {})
    with pytest.raises(ValueError, match="already names"):
        stable_names.__wrapped__()


def header(path):
    with safetensors.safe_open(path, "numpy") as file:
        return json.loads(file.metadata()["convzoo"])


def rewrite(path, change):
    arrays, data = safetensors.numpy.load_file(path), header(path)
    change(arrays, data)
    safetensors.numpy.save_file(arrays, path, {"convzoo": json.dumps(data)})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda arrays, data: data["model"].update(name="os.system"), "names record 'os.system', which zoo does not"),
        (lambda arrays, data: data["model"]["fields"].update(act={"kind": "function", "name": "eval"}), "'eval'"),
        (
            lambda arrays, data: data["model"].update(name="layers.residual.pad_shortcut"),
            "record 'layers.residual.pad_shortcut'",
        ),
        (lambda arrays, data: data["model"]["fields"].update(widht=3), "fields widht, which it does not have"),
        (lambda arrays, data: data.update(model=data["preprocess"]), "does not describe a model"),
        (lambda arrays, data: data.update(format=3), "written in format 3"),
        (lambda arrays, data: data.pop("model"), "model"),
        (lambda arrays, data: data["model"]["fields"].update(num_classes=4, blocks=[1, 1, 1]), "missing: .*stage3"),
        (lambda arrays, data: arrays.update({"params/head/bias": np.ones(3, np.float32)}), "checksum"),
        (lambda arrays, data: arrays.pop("params/head/bias"), "checksum"),
    ],
)
def test_a_file_with_other_words_in_it_is_refused(saved, change, message):
    path, _ = saved
    rewrite(path, change)
    with pytest.raises(ValueError, match=message):
        zoo.load(path)


def test_damage_is_noticed(saved, tmp_path):
    path, _ = saved
    whole = path.read_bytes()
    for position in (len(whole) - 1, len(whole) // 2):
        damaged = bytearray(whole)
        damaged[position] ^= 4
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="damaged"):
            zoo.load(path)
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="damaged"):
        zoo.load(path)
    with pytest.raises(ValueError, match="no file"):
        zoo.load(tmp_path / "none")


def test_the_files_of_others_point_to_the_way_to_read_them(tmp_path):
    safetensors.numpy.save_file({"fc.bias": np.zeros(3, np.float32)}, tmp_path / "others.safetensors")
    with pytest.raises(ValueError, match="load_pretrained"):
        zoo.load(tmp_path / "others.safetensors")


def test_nothing_is_written_that_could_not_be_read(tmp_path):
    model, variables = zoo.create("lenet5"), numbers(zoo.create("lenet5"), (32, 32, 1))
    with pytest.raises(ValueError, match=r"<lambda>.*cannot be written to a file"):
        zoo.save(tmp_path / "a", model.clone(act=lambda x: x), variables)
    with pytest.raises(ValueError, match=r"not those of resnet20:\n  missing: batch_stats"):
        zoo.save(tmp_path / "a", zoo.create("resnet20"), variables)
    with pytest.raises(ValueError, match=r"wrong shape: params/head/bias is \(10,\), expected \(3,\)"):
        zoo.save(tmp_path / "a", model.clone(num_classes=3), variables)
    with pytest.raises(OSError, match="none"):
        zoo.save(tmp_path / "none" / "a", model, variables)
    assert not list(tmp_path.iterdir())


def test_images_of_other_sizes_and_channels_are_no_other_model(tmp_path):
    model = zoo.create("lenet5")
    zoo.save(tmp_path / "a", model, numbers(model, (64, 48, 3)))
    assert zoo.load(tmp_path / "a").variables["params"]["stage1"]["conv"]["kernel"].shape[2] == 3


def test_forms_for_one_platform_have_no_names_in_files():
    assert not [name for name, value in stable_names().items() if value.__module__.startswith("zoo.layers.cpu")]
