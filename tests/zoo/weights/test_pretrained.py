"""A model from a published file: what fits, what is adapted on request, what is left out, what is refused."""

import hashlib
import warnings
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy
from flax.traverse_util import flatten_dict

import zoo
from zoo.weights.official import OFFICIAL, by_checksum, official
from zoo.weights.torch import places

WRITTEN_BY_TORCH = Path(__file__).parents[2] / "goldens" / "torch_files"


def write(path: Path, name: str, channels: int = 3, **fields) -> Path:
    """A file with numbers that tell every entry from every other."""
    height, width, _ = zoo.catalog.variant(name).input_shape
    arrays = {}
    for index, place in enumerate(places(zoo.create(name, **fields), (height, width, channels))):
        size = int(np.prod(place.torch_shape))
        arrays[place.key] = (index + np.linspace(0, 1, size, dtype=np.float32)).reshape(place.torch_shape)
    safetensors.numpy.save_file(arrays, path)
    return path


@pytest.fixture(scope="module")
def resnet20(tmp_path_factory):
    return write(tmp_path_factory.mktemp("weights") / "resnet20.safetensors", "resnet20")


def test_gives_model_variables_and_preprocessing(resnet20):
    model, variables, preprocess = zoo.load_pretrained("resnet20", resnet20)
    assert model == zoo.create("resnet20")
    expected = zoo.load_torch("resnet20", safetensors.numpy.load_file(resnet20))
    assert jax.tree.all(jax.tree.map(lambda a, b: (a == b).all(), variables, expected))
    assert preprocess == zoo.Preprocess(size=32)


def test_a_checkpoint_of_torch_itself_is_refused_with_both_sides():
    with pytest.raises(ValueError, match=r"model\.pt: the state dictionary does not fit resnet20") as error:
        zoo.load_pretrained("resnet20", WRITTEN_BY_TORCH / "model.pt")
    assert "missing: bn1.bias (16,)" in str(error.value)
    assert "unexpected: 0.bias (2,)" in str(error.value)


def test_another_number_of_classes_must_be_asked_for(tmp_path, resnet20):
    path = write(tmp_path / "seven.safetensors", "resnet20", num_classes=7)
    with pytest.raises(ValueError, match=r"fc\.weight is \(7, 64\), expected \(10, 64\)") as error:
        zoo.load_pretrained("resnet20", path)
    assert "num_classes=" in str(error.value)
    model, variables, _ = zoo.load_pretrained("resnet20", path, num_classes=7)
    assert model.num_classes == 7
    np.testing.assert_array_equal(
        variables["params"]["head"]["kernel"], safetensors.numpy.load_file(path)["fc.weight"].T
    )


def test_a_new_head_is_made_when_the_file_has_another(resnet20):
    heads = []
    for seed in (3, 4):
        model, variables, _ = zoo.load_pretrained("resnet20", resnet20, num_classes=4, key=jax.random.key(seed))
        assert model.num_classes == 4
        heads.append(variables["params"]["head"]["kernel"])
    assert heads[0].shape == (64, 4)
    assert (heads[0] != heads[1]).all()
    whole = zoo.load_pretrained("resnet20", resnet20).variables
    np.testing.assert_array_equal(
        variables["params"]["stage3"]["block1"]["conv1"]["conv"]["kernel"],
        whole["params"]["stage3"]["block1"]["conv1"]["conv"]["kernel"],
    )


def test_the_size_of_the_head_follows_from_the_file(tmp_path):
    path = write(tmp_path / "seven.safetensors", "resnet20", num_classes=7)
    assert zoo.load_pretrained("resnet20", path, num_classes="file").model.num_classes == 7
    with pytest.raises(ValueError, match="num_classes='fil' is unknown, did you mean file"):
        zoo.load_pretrained("resnet20", path, num_classes="fil")


def test_raw_and_averaged_weights_are_told_apart(tmp_path):
    arrays = safetensors.numpy.load_file(write(tmp_path / "plain.safetensors", "resnet20"))
    both = {f"net.{key}": array for key, array in arrays.items()}
    both |= {f"ema_net.{key}": 2 * array for key, array in arrays.items()}
    path = tmp_path / "both.safetensors"
    safetensors.numpy.save_file(both, path)
    with pytest.raises(ValueError, match="choose which='raw' or which='ema'"):
        zoo.load_pretrained("resnet20", path)
    raw, mean = (zoo.load_pretrained("resnet20", path, which=which) for which in ("raw", "ema"))
    assert jax.tree.all(jax.tree.map(lambda one, other: bool((other == 2 * one).all()), raw.variables, mean.variables))


def test_channels_are_adapted_in_weights_and_preprocessing(tmp_path, resnet20):
    variables = zoo.load_pretrained("resnet20", resnet20, channels=1).variables
    whole = zoo.load_pretrained("resnet20", resnet20).variables
    np.testing.assert_allclose(
        variables["params"]["stem"]["conv"]["kernel"],
        whole["params"]["stem"]["conv"]["kernel"].sum(axis=2, keepdims=True),
        rtol=1e-6,
    )
    grey = write(tmp_path / "grey.safetensors", "resnet20", channels=1)
    with pytest.raises(ValueError, match=r"conv1\.weight is \(16, 1, 3, 3\)"):
        zoo.load_pretrained("resnet20", grey)
    with pytest.raises(ValueError, match=r"num_classes=-1"):
        zoo.load_pretrained("resnet20", resnet20, num_classes=-1)
    _, variables, _ = zoo.load_pretrained("resnet20", grey, channels=1)
    np.testing.assert_array_equal(
        variables["params"]["stem"]["conv"]["kernel"][..., 0, :].transpose(2, 0, 1),
        safetensors.numpy.load_file(grey)["conv1.weight"][:, 0],
    )


def test_the_preprocessing_of_a_colour_net_suits_its_grey_heir(tmp_path):
    path = write(tmp_path / "weights.safetensors", "squeezenet1_1")
    colour = zoo.load_pretrained("squeezenet1_1", path).preprocess
    grey = zoo.load_pretrained("squeezenet1_1", path, channels=1).preprocess
    assert (grey.mean, grey.std) == ((pytest.approx(np.mean(colour.mean)),), (pytest.approx(np.mean(colour.std)),))
    already = write(tmp_path / "grey.safetensors", "squeezenet1_1", channels=1)
    assert zoo.load_pretrained("squeezenet1_1", already, channels=1).preprocess == grey
    assert zoo.load_pretrained("squeezenet1_1", path, channels=4).preprocess.mean == (*colour.mean, colour.mean[0])


def test_auxiliary_heads_are_left_out_and_said_to_be(tmp_path):
    path = write(tmp_path / "googlenet.safetensors", "googlenet_aux")
    counter = {"aux1.conv.bn.num_batches_tracked": np.zeros(1, np.int64)}  # as in every file of torch
    safetensors.numpy.save_file(safetensors.numpy.load_file(path) | counter, path)
    with pytest.warns(UserWarning, match=r"left out the auxiliary heads aux1, aux2 \(\d+ arrays\)"):
        model, variables, preprocess = zoo.load_pretrained("googlenet", path)
    assert not [path for path in flatten_dict(variables) if "aux1" in path or "aux2" in path]
    assert preprocess.mean == preprocess.std == (0.5, 0.5, 0.5)
    assert jax.eval_shape(model.apply, variables, jnp.zeros((1, 224, 224, 3))).shape == (1, 1000)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        variables = zoo.load_pretrained("googlenet_aux", path).variables
    assert {"aux1", "aux2"} <= {name for path in flatten_dict(variables) for name in path}


def test_downloads_and_verifies(server, tmp_path, resnet20):
    server.files["/resnet20.safetensors"] = resnet20.read_bytes()
    url = f"{server.url}/resnet20.safetensors"
    variables = zoo.load_pretrained("resnet20", url, cache=tmp_path).variables
    assert variables["params"]["head"]["kernel"].shape == (64, 10)
    with pytest.raises(ValueError, match="corrupted"):
        zoo.load_pretrained("resnet20", url, cache=tmp_path, sha256="0123abcd")
    with pytest.raises(ValueError, match="404"):
        zoo.load_pretrained("resnet20", f"{server.url}/none.pth", cache=tmp_path)
    server.files["/page.pth"] = b"<!DOCTYPE html>"
    for _ in range(2):
        with pytest.raises(ValueError, match="page.pth answered is no file of weights, and was removed"):
            zoo.load_pretrained("resnet20", f"{server.url}/page.pth", cache=tmp_path)
    assert not list(tmp_path.rglob("page.pth"))
    with pytest.raises(ValueError, match="does not fit resnet32"):
        zoo.load_pretrained("resnet32", url, cache=tmp_path)


def test_asks_for_a_path_where_nothing_is_published():
    with pytest.raises(ValueError, match="no published weights of resnet20"):
        zoo.load_pretrained("resnet20")


def test_a_file_of_ours_points_to_load(tmp_path):
    safetensors.numpy.save_file({"params/head/bias": np.zeros(3, np.float32)}, tmp_path / "ours.safetensors")
    with pytest.raises(ValueError, match=r"zoo\.load"):
        zoo.load_pretrained("resnet20", tmp_path / "ours.safetensors")


def test_published_files_are_of_catalogued_models():
    assert set(OFFICIAL) <= set(zoo.list_models())


def test_the_first_published_file_has_the_catalogued_size():
    for name, (first, *_) in OFFICIAL.items():
        if first.preprocess.size:
            assert zoo.catalog.variant(name).input_shape == (first.preprocess.size, first.preprocess.size, 3), name


def test_checksums_of_torchvision_come_from_its_file_names():
    digits = {
        entry.file: entry.sha256 for entries in OFFICIAL.values() for entry in entries if "pytorch.org" in entry.url
    }
    assert all(f"-{known}.pth" in file for file, known in digits.items())
    assert len(digits) > 75


def test_a_renamed_file_is_known_by_its_contents(tmp_path, monkeypatch):
    first, second = OFFICIAL["mobilenet_v2"]
    path = tmp_path / "mine.pth"
    path.write_bytes(b"weights")
    assert by_checksum("mobilenet_v2", path) is None
    copy = second._replace(sha256=hashlib.sha256(b"weights").hexdigest()[:8])
    monkeypatch.setitem(OFFICIAL, "mobilenet_v2", (first, copy))
    assert by_checksum("mobilenet_v2", path) == copy


def test_files_of_one_model_bring_their_own_preprocessing():
    assert official("mobilenet_v2").preprocess.shorter_side == 256
    assert official("mobilenet_v2", "mobilenet_v2-7ebf99e0.pth").preprocess.shorter_side == 232
    assert official("mobilenet_v2", "mine.pth") == official("mobilenet_v2")
    assert official("resnet20") is None
