"""`attribute`, `maximize`, `invert` and `top-images` on a tiny run, on files of weights, and on nonsense."""

import argparse
import dataclasses
import json
import os
import shutil
from pathlib import Path

import jax
import numpy as np
import pytest
from PIL import Image

import analysis
import train
import zoo
from analysis import attacks, taps
from analysis.__main__ import main, of_weights
from analysis.attacks.evaluation import procedure
from analysis.commands import figures, pictures
from analysis.commands.joined import Joined, Opened
from analysis.commands.source import Source
from analysis.commands.top_images import explain, label, notes
from analysis.features.top_images import TopImages
from analysis.network import Network
from tests.support.helpers import random_variables
from train.datasets import decoding
from train.datasets import pictures as training_pictures

pytestmark = pytest.mark.filterwarnings("ignore:.*auxiliary")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A trained run, a picture, and a file of the run's weights."""
    root = tmp_path_factory.mktemp("commands")
    with jax.numpy_dtype_promotion("standard"):  # Optax's schedules rely on it.
        train.run(train.Config("gap_net", epochs=1, size=16, batch_size=256, out=str(root / "run")), quiet=True)
    run = train.load(root / "run")
    zoo.save(root / "net.safetensors", run.model, run.variables, run.preprocess)
    pixels = np.linspace(0, 255, 30 * 20 * 3).reshape(30, 20, 3).astype(np.uint8)
    Image.fromarray(pixels).save(root / "picture.png")
    np.save(root / "nan.npy", np.full((8, 8), np.nan, np.float32))
    np.save(root / "bright.npy", np.full((8, 8), 1.5, np.float32))
    (root / "text.png").write_text("no picture")
    return root


def answer(capsys, *arguments):
    """What a command wrote: its figure, and its numbers by name."""
    assert main([*map(str, arguments)]) == 0
    figure, numbers = capsys.readouterr().out.splitlines()[-2:]
    with Image.open(figure) as drawn:
        assert drawn.format == "PNG"
    with np.load(numbers) as stored:
        return figure, dict(stored)


def test_attribute(folder, capsys):
    methods = "saliency,grad_cam"
    given = ("attribute", folder / "run", "--method", methods, "--images", "0,5,7")
    figure, found = answer(capsys, *given)
    assert figure == str(folder / "run" / "analysis" / "attribute.png")
    run = train.load(folder / "run")
    images = run.dataset.test.images[[0, 5, 7]]
    logits = zoo.logits_fn(run.model, run.variables, run.preprocess)(images)
    np.testing.assert_array_equal(found["targets"], logits.argmax(1))
    np.testing.assert_array_equal(found["images"], images)
    maps = analysis.grad_cam(run.model, run.variables, images, found["targets"], preprocess=run.preprocess)
    np.testing.assert_allclose(found["grad_cam"], maps, atol=1e-5)
    assert (found["saliency"] >= 0).all()
    first = (folder / "run" / "analysis" / "attribute.png").read_bytes()
    answer(capsys, *given)
    assert (folder / "run" / "analysis" / "attribute.png").read_bytes() == first


def test_attribute_of_one_class_and_layer(folder, capsys):
    layers = [path for path in taps.list(*_model(folder), np.zeros((1, 16, 16, 1), np.float32)) if "/" not in path]
    given = ("attribute", folder / "run", "--method", "grad_cam", "--count", 2, "--target", 3)
    _, found = answer(capsys, *given, "--layer", layers[0], "--out", folder / "one.png")
    assert found["targets"].tolist() == [3, 3]
    _, other = answer(capsys, *given, "--out", folder / "two.png")
    assert abs(found["grad_cam"] - other["grad_cam"]).max() > 1e-3


def _model(folder):
    run = train.load(folder / "run")
    return run.model, run.variables


def test_all_methods_but_those_that_the_model_refuses(folder, capsys):
    out = folder / "all.png"
    arguments = ("attribute", folder / "run", "--method", "all", "--count", 1, "--out", out)
    _, found = answer(capsys, *arguments)
    assert {"saliency", "occlusion", "guided_backprop", "score_cam", "cam"} <= set(found)
    assert (found["integrated_gradients"] < 0).any()


def test_each_image_on_a_scale_of_its_own_on_request(folder, capsys):
    given = ("attribute", folder / "run", "--method", "saliency,occlusion", "--count", 2, "--out", folder / "own.png")
    figure, arrays = answer(capsys, *given)
    shared = Path(figure).read_bytes()
    _, same = answer(capsys, *given, "--scale", "image")
    np.testing.assert_array_equal(arrays["saliency"], same["saliency"])
    assert Path(figure).read_bytes() != shared


def test_a_weak_map_is_as_bright_as_a_strong_one_on_its_own_scale():
    values = np.linspace(-1, 1, 64).reshape(1, 8, 8) * np.array([1, 0.01]).reshape(2, 1, 1)
    images = np.full((2, 8, 8, 1), 0.5)

    def drawn(own_scales):
        rows = [figures.Row("occlusion", "logit", True, values, own_scales)]
        *_, strong, weak, bar = figures.maps(images, ["a", "b"], rows, "").axes
        return strong, weak, bar

    strong, weak, bar = drawn(True)
    np.testing.assert_allclose(strong.images[0].get_array(), weak.images[0].get_array(), atol=1e-12)
    assert [strong.get_title(), weak.get_title()] == ["±1", "±0.01"]
    assert [label.get_text() for label in bar.get_xticklabels()] == ["−above", "above"]
    strong, weak, bar = drawn(False)
    assert abs(weak.images[0].get_array() - 0.42).max() < 0.1 < abs(strong.images[0].get_array() - 0.42).max()
    assert [label.get_text() for label in bar.get_xticklabels()] == ["-1", "1"]


def test_attribute_of_a_file_of_weights_and_a_picture(folder, capsys):
    _, found = answer(
        capsys,
        *("attribute", "--model", "gap_net", "--weights", folder / "net.safetensors", "--method", "saliency"),
        *("--image", folder / "picture.png", "--out", folder / "picture-maps.png"),
    )
    assert found["images"].shape == (1, *zoo.card("gap_net").input_shape[:2], 1)
    assert found["saliency"].max() > 0


def test_maximize(folder, capsys):
    given = ("maximize", folder / "run", "--channels", "0,1,2", "--steps", 3)
    _, found = answer(capsys, *given, "--layer", "head", "--out", folder / "max.png")
    assert found["images"].shape == (3, 16, 16, 1)
    assert found["history"].shape == (3, 3)
    run = train.load(folder / "run")
    logits = zoo.logits_fn(run.model, run.variables, run.preprocess)(run.dataset.test.images)
    np.testing.assert_allclose(found["data"], logits.max(0)[:3], rtol=1e-4)
    _, again = answer(capsys, *given, "--layer", "head", "--out", folder / "max2.png", "--seed", 0)
    np.testing.assert_array_equal(found["images"], again["images"])
    _, other = answer(capsys, *given, "--layer", "head", "--out", folder / "max3.png", "--seed", 1)
    assert abs(found["images"] - other["images"]).max() > 1e-4


def test_invert(folder, capsys):
    layers = [path for path in taps.list(*_model(folder), np.zeros((1, 16, 16, 1), np.float32)) if "/" not in path]
    given = ("invert", folder / "run", "--layers", layers[1], "--images", 4, "--steps", 3)
    _, found = answer(capsys, *given, "--out", folder / "inverted.png")
    assert found[f"{layers[1]}/images"].shape == (1, 16, 16, 1)
    assert found["images"].shape == (1, 16, 16, 1)


def test_top_images(folder, capsys):
    _, found = answer(capsys, "top-images", folder / "run", "--channels", "1,2", "--count", 4)
    assert found["indices"].shape == (2, 4)
    assert (np.diff(found["activations"]) <= 0).all()


def test_ties_are_told_and_labelled_by_the_value_that_ranks_them():
    values, before = np.array([[1, 1], [1, 0.9], [1, 0.9999]]), np.array([[30.0, 20.0], [3.0, 1.5], [9.0, 5.0]])
    indices, ties = np.array([[4, 1], [0, 3], [2, 5]]), np.array([72, 1, 1])
    top = TopImages("stage1", np.array([5, 6, 7]), indices, values, np.zeros((3, 2, 2), int), ties, before)
    source = Source("", Network(None, {}), (8, 8, 1), Path(), np.zeros((90, 8, 8, 1)), [f"{n}.png" for n in range(90)])
    assert label(top, 0) == "channel 5, 72 images tie, saturated: values before, its activation function"
    assert [label(top, row) for row in (1, 2)] == [
        "channel 6",
        "channel 7, saturated: values before, its activation function",
    ]
    assert notes(source, top, 0) == ["4.png: 30", "1.png: 20"]
    assert notes(source, top, 1) == ["0.png: 1", "3.png: 0.9"]
    assert notes(source, top, 2) == ["2.png: 9", "5.png: 5"]
    assert "72 of 90 images tie at the largest activation, 1, where it is saturated" in explain(top, 0, 90)
    unranked = dataclasses.replace(top, before=None)
    assert "in their order" in label(unranked, 0)
    assert "those shown are the first of them" in explain(unranked, 0, 90)


REFUSED = {
    "method": ("attribute RUN --method salency", "'salency' is unknown, did you mean saliency"),
    "scale": ("attribute RUN --scale imag", "scale='imag' is unknown, did you mean image"),
    "layer": ("attribute RUN --layer haed", "no layer 'haed', did you mean head"),
    "flat layer": ("attribute RUN --layer head --method grad_cam", "no spatial extent"),
    "class": ("attribute RUN --target 10", "target='10' is no class, did you mean"),
    "image number": ("attribute RUN --images 0,9999", "no image 9999 among"),
    "unit": ("maximize RUN --layer head --channels 99", "no channel 99 among 10: expected 0 to 9"),
    "top unit": ("top-images RUN --layer head --channels 99", "channel 99: expected integers from 0 to 9"),
    "inverted layer": ("invert RUN --layers stemm", "no layer 'stemm'"),
    "no file": ("attribute RUN --image ROOT/none.png", "no file"),
    "a folder": ("attribute RUN --image ROOT", "is a folder: name the pictures in it"),
    "a radius in bytes": (
        "robustness RUN --eps 4/255,8",
        "eps=8: expected at most 1, since pixels are in [0, 1], did you mean 8/255?",
    ),
    "no picture": ("attribute RUN --image ROOT/text.png", "text.png cannot be read as a picture"),
    "nan": ("attribute RUN --image ROOT/nan.npy", "nan.npy cannot be read as a picture: holds NaN"),
    "outside": ("attribute RUN --image ROOT/bright.npy", "spans [1.5, 1.5]: expected floats in [0, 1]"),
    "no run": ("attribute ROOT/none", "no run at"),
    "neither": ("attribute", "give either RUN"),
    "both": ("maximize RUN --model gap_net", "give either RUN"),
    "no image": ("invert --model gap_net --weights ROOT/net.safetensors", "give --image FILE"),
    "no model": ("maximize --model gapnet --weights ROOT/net.safetensors", "did you mean gap_net"),
    "other model": ("maximize --model lenet5 --weights ROOT/net.safetensors", "of class GAPNet, not lenet5"),
    "no steps": ("maximize RUN --steps 0", "steps=0: expected a positive integer"),
    "no count": ("attribute RUN --count 0", "count=0: expected a positive integer"),
    "parametrization": ("maximize RUN --parametrization fourir", "did you mean fourier"),
    "no weights": ("maximize --model gap_net --weights ROOT/none.pth", "no file"),
    "suffix": ("maximize RUN --out ROOT/figure.gif", "expected a name that ends in .png or .svg"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_nonsense_is_refused_in_one_line(folder, capsys, case):
    words, message = REFUSED[case]
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    arguments = [word.replace("RUN", str(folder / "run")).replace("ROOT", str(folder)) for word in words.split()]
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.splitlines()) == 1
    assert message in said.err
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


@pytest.mark.parametrize("words", ["attribute RUN --images a,b", "attribute RUN --coun x", "paint RUN"])
def test_options_that_cannot_be_read(capsys, words):
    with pytest.raises(SystemExit, match="2"):
        main(words.split())
    said = capsys.readouterr()
    assert len(said.err.splitlines()) == 1
    assert said.err.startswith("error: ")


def test_pictures_of_any_kind(tmp_path):
    grey = np.arange(16, dtype=np.uint8).reshape(4, 4) * 16
    Image.fromarray(grey).save(tmp_path / "grey.png")
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    Image.fromarray(np.stack([grey] * 3 + [np.full_like(grey, 255)], -1)).save(tmp_path / "clear.png")
    np.save(tmp_path / "array.npy", (grey / np.float32(255)).astype(np.float32))
    files = [tmp_path / name for name in ("grey.png", "deep.png", "clear.png", "array.npy")]
    for shape in ((4, 4, 1), (4, 4, 3)):
        found = pictures.read(files, shape, lambda images: images)
        assert found.shape == (4, *shape)
        np.testing.assert_allclose(found, np.broadcast_to(grey[None, ..., None] / 255, found.shape), atol=1e-6)


def test_pictures_lie_upright_on_white(tmp_path):
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
    turned = Image.fromarray(grey)
    turned.getexif()[0x0112] = 6  # the camera was held upright: a quarter to the right
    turned.save(tmp_path / "turned.png", exif=turned.getexif())
    found = pictures.read([tmp_path / "turned.png"], (4, 3, 1), lambda images: images)
    np.testing.assert_allclose(found[0, ..., 0], np.rot90(grey, -1) / 255, atol=1e-6)

    alpha = np.where(grey > 100, 255, 0).astype(np.uint8)
    Image.fromarray(np.stack([grey] * 3 + [alpha], -1)).save(tmp_path / "cut.png")
    found = pictures.read([tmp_path / "cut.png"], (3, 4, 1), lambda images: images)
    np.testing.assert_allclose(found[0, ..., 0], np.where(grey > 100, grey, 255) / 255, atol=1e-6)


def test_arrays_and_pictures_of_no_known_scale_are_refused(tmp_path):
    Image.fromarray(np.full((4, 4), 70_000, np.int32)).save(tmp_path / "deep.tiff")
    np.save(tmp_path / "waves.npy", np.zeros((4, 4), complex))
    np.save(tmp_path / "words.npy", np.array([["a"]]))
    for name, message in (
        ("deep.tiff", "deep.tiff cannot be read as a picture: mode I with values from 70000"),
        ("waves.npy", "waves.npy cannot be read as a picture: holds complex128: expected bytes"),
        ("words.npy", "words.npy cannot be read as a picture: holds <U1"),
    ):
        with pytest.raises(ValueError, match=message):
            pictures.read([tmp_path / name], (4, 4, 1), lambda images: images)


def test_pictures_are_shown_to_a_run_as_its_data_set_shows_them(tmp_path, capsys):
    """Gray by luminance, frames left out, and pipes refused: one reader serves data sets and commands."""
    pixels = np.random.default_rng(0).integers(0, 256, (40, 24, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.gif", save_all=True, append_images=[Image.new("RGB", (24, 40))])
    read = [
        pictures.read([tmp_path / "a.gif"], (8, 8, channels), lambda images: decoding.resize(images[0], 8)[np.newaxis])
        for channels in (1, 3)
    ]
    assert capsys.readouterr().err == f"{tmp_path / 'a.gif'} holds several pictures: the first is used\n" * 2
    for image, channels in zip(read, (1, 3), strict=True):
        expected = training_pictures.read([tmp_path / "a.gif"], 8, channels=channels).images
        np.testing.assert_allclose(image, expected, atol=1.01 / 255)
    os.mkfifo(tmp_path / "x.png")
    with pytest.raises(ValueError, match="x.png cannot be read as a picture: not a regular file"):
        pictures.read([tmp_path / "x.png"], (8, 8, 1), lambda images: images)
    with pytest.raises(ValueError, match=r"a.gif has shape \(40, 24, 3\): expected 2 channel"):
        pictures.read([tmp_path / "a.gif"], (8, 8, 2), lambda images: images)


def test_a_run_whose_data_set_has_moved_takes_pictures(folder, capsys, tmp_path):
    shutil.copytree(folder / "run", tmp_path / "run")
    file = tmp_path / "run" / "config.json"
    content = json.loads(file.read_text())
    content["config"]["dataset"] = "folder:/moved"
    del content["sha256"]  # as a user has to who changes the file
    file.write_text(json.dumps(content))
    command = ("attribute", str(tmp_path / "run"), "--method", "saliency", "--out", str(tmp_path / "a.png"))
    assert main([*command]) == 2
    assert capsys.readouterr().err == (
        "error: folder:/moved: no such folder; --image FILE takes pictures of your own\n"
    )
    _, arrays = answer(capsys, *command, "--image", folder / "picture.png")
    expected = training_pictures.read([folder / "picture.png"], 16, channels=1).images
    np.testing.assert_allclose(arrays["images"], expected, atol=1.01 / 255)


def test_a_command_that_needs_no_images_goes_on_without_the_data_set(capsys):
    def moved():
        raise ValueError("folder:/moved: no such folder")

    source = Source("", Network(None, {}), (8, 8, 1), Path(), np.zeros((0, 8, 8, 1)), ())
    joined = Joined(of_run=lambda path: Opened(source, None, moved), of_weights=None, subject=None, lab=None)
    options = argparse.Namespace(run=Path("run"), model=None, weights=None, which=None)
    assert joined.source(options) is source
    assert capsys.readouterr().err == "goes on without the data set: folder:/moved: no such folder\n"


def test_the_head_follows_from_the_file_and_one_logit_is_read_as_two_classes(tmp_path, capsys):
    for classes in (7, 1):
        model = zoo.create("lenet5", num_classes=classes)
        variables = random_variables(model, (32, 32, 1))
        zoo.save(tmp_path / f"{classes}.safetensors", model, variables)
        source = of_weights("lenet5", str(tmp_path / f"{classes}.safetensors")).source
        assert source.network.model.num_classes == max(2, classes)
    assert "the one logit is read as two classes" in capsys.readouterr().err


def test_robustness_of_a_run_goes_on_where_it_stopped(folder, capsys, monkeypatch):
    quick = tuple(step._replace(settings={**step.settings, "steps": 3}) for step in attacks.SUITES["quick"])
    monkeypatch.setitem(attacks.SUITES, "quick", quick)
    monkeypatch.setattr(procedure, "LONGER", 3)
    given = ("robustness", folder / "run", "--eps", "2/255,1/4", "--count", 40, "--suite", "quick")
    assert main([*map(str, given)]) == 0
    shown = capsys.readouterr()
    table, paths = shown.out.splitlines()[:4], shown.out.splitlines()[-4:]
    assert [line.split("  ")[0].strip() for line in table] == ["after", "no attack", "APGD-CE", "APGD-DLR"]
    assert "ε = 63.8/255" in table[0]
    assert [Path(path).suffix for path in paths] == [".json", ".md", ".png", ".npz"]
    assert "APGD-CE on" in shown.err
    before = json.loads(Path(paths[0]).read_text())
    assert main([*map(str, given)]) == 0
    again = capsys.readouterr()
    assert "APGD" not in again.err
    after = json.loads(Path(paths[0]).read_text())
    assert {**before, "seconds": 0} == {**after, "seconds": 0}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--eps", "a"), "expected numbers or fractions joined by commas"),
        (("--eps", "1/0"), "expected numbers or fractions joined by commas"),
        (("--eps=-1/255",), "expected a non-negative radius"),
        (("--count", "0"), "count=0: expected a positive integer"),
        (("--norm", "l3"), "invalid choice: 'l3'"),
        (("--out", "table.txt"), "expected a name that ends in .json"),
        (("--model", "gap_net"), "--model comes without images: give --data folder:PATH"),
        (("--data", "digit"), "did you mean digits"),
    ],
)
def test_robustness_refuses(folder, capsys, arguments, message):
    try:
        code = main(["robustness", str(folder / "run"), *arguments])
    except SystemExit as stop:
        code = stop.code
    assert code == 2
    assert message in capsys.readouterr().err
