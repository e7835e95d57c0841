"""A trained network and photographs: classes by name, and maps that lie on what is in the picture."""

from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

import analysis
import zoo
from analysis.__main__ import main
from analysis.commands.source import Source
from analysis.network import Network
from tests.support.photographs import photograph, require
from zoo import imagenet

ESPRESSO, TRIPOD = 967, 872


@pytest.fixture(scope="module")
def source():
    """Names of ImageNet's classes without a network."""
    names = zoo.class_names("efficientnet_lite0")
    empty = np.zeros((0, 8, 8, 3))
    return Source("", Network(None, {}), (8, 8, 3), Path(), empty, (), classes=names, synonyms=imagenet.numbers())


@pytest.mark.parametrize(
    ("text", "number"),
    [("espresso", 967), ("Espresso", 967), ("967", 967), ("tabby cat", 281), ("missile", 657), ("crane (bird)", 134)],
)
def test_a_class_is_named_by_name_synonym_or_number(source, text, number):
    assert source.class_number(text, 1000) == number


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("expresso", "target='expresso' is no class, did you mean espresso or .*: expected a number .* or a name"),
        ("egyptian", "did you mean Egyptian cat"),
        ("crane", r"a name of several classes: expected 134 for crane \(bird\) or 517 for crane \(machine\)"),
        ("1000", "target='1000' is no class.*expected a number from 0 to 999"),
    ],
)
def test_what_is_no_class_is_answered_with_the_nearest(source, text, message):
    with pytest.raises(ValueError, match=message):
        source.class_number(text, 1000)


def test_the_most_probable_classes_by_name(source):
    shares = np.zeros(1000)
    shares[[967, 968, 925]] = 0.9, 0.06, 0.04
    assert source.best(shares, 3) == "espresso 90.0 %, cup 6.0 %, consomme 4.0 %"
    assert source.best(np.array([0.25, 0.75])) == "goldfish 75.0 %, tench 25.0 %"


@pytest.fixture(scope="module")
def pretrained():
    require()
    return zoo.load_pretrained("efficientnet_lite0")


def image(preprocess: zoo.Preprocess, file: str) -> np.ndarray:
    """(1, 224, 224, 3) in [0, 1]."""
    pixels = np.asarray(Image.open(photograph(file)).convert("RGB"), np.float32)[np.newaxis] / 255
    return np.clip(preprocess.resize(pixels), 0, 1)


@pytest.mark.slow
@pytest.mark.parametrize(("file", "label"), [("coffee.png", ESPRESSO), ("camera.png", TRIPOD)])
def test_integrated_gradients_are_complete(pretrained, file, label):
    picture, logits_fn = image(pretrained.preprocess, file), zoo.logits_fn(*pretrained)
    contributions = analysis.integrated_gradients(logits_fn, picture, np.array([label]))
    difference = logits_fn(picture)[0, label] - logits_fn(jnp.zeros_like(picture))[0, label]
    assert float(contributions.sum()) == pytest.approx(float(difference), rel=0.05)


# Rows and columns of the crop that hold the cup with its contents, and the tripod with its camera.
CUP, LEGS = (slice(0, 130), slice(35, 185)), (slice(65, 224), slice(100, 180))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "label", "place"), [("coffee.png", ESPRESSO, CUP), ("camera.png", TRIPOD, LEGS)], ids=["cup", "tripod"]
)
def test_grad_cam_lies_on_the_object(pretrained, file, label, place):
    model, variables, preprocess = pretrained
    picture = image(preprocess, file)
    heat = np.asarray(analysis.grad_cam(model, variables, picture, np.array([label]), preprocess=preprocess))[0]
    area = np.zeros(heat.shape)
    area[place] = 1
    assert area[np.unravel_index(heat.argmax(), heat.shape)]
    assert (heat * area).sum() / heat.sum() > 1.4 * area.mean()


@pytest.mark.slow
def test_attribute_finds_the_installed_weights_and_prints_names(tmp_path, capsys):
    require()
    command = ["attribute", "--model", "efficientnet_lite0", "--image", str(photograph("coffee.png"))]
    command += ["--method", "grad_cam", "--out", str(tmp_path / "maps.png")]
    assert main([*command, "--target", "Tabby Cat"]) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first.startswith("coffee.png: espresso 95.")
    assert first.count(" %") == 5
    with np.load(tmp_path / "maps.npz") as numbers:
        assert numbers["targets"].tolist() == [281]
    assert main([*command, "--target", "expresso"]) == 2
    assert "did you mean espresso" in capsys.readouterr().err
