"""The commands on finished runs: list, compare and predict, on two runs of a few coloured squares."""

import csv
import shutil

import matplotlib.image
import numpy as np
import pytest
from PIL import Image

import train
import zoo
from tests.support.photographs import photograph, require
from train.__main__ import main

COLOURS = {"blue": (0, 0, 255), "green": (0, 255, 0), "red": (255, 0, 0)}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two runs of 3 and 2 epochs on three colours, and the folder of their pictures."""
    root = tmp_path_factory.mktemp("squares")
    for label, colour in COLOURS.items():
        (root / "data" / label).mkdir(parents=True)
        for index in range(10):
            Image.new("RGB", (6, 6), tuple(max(0, level - 9 * index) for level in colour)).save(
                root / "data" / label / f"{index}.png"
            )
    common = {"dataset": f"folder:{root / 'data'}", "size": 6, "batch_size": 8, "augment": (), "warmup": 0.0}
    for name, epochs in (("one", 3), ("two", 2)):
        config = train.Config("mlp", epochs=epochs, out=str(root / "runs" / name), fields={"widths": (8,)}, **common)
        train.run(config, quiet=True)
    return root


def test_list_shows_every_run_with_its_best_figures(runs, capsys):
    (runs / "runs" / "broken").mkdir(exist_ok=True)
    (runs / "runs" / "broken" / "config.json").write_text("{")
    assert main(["list", str(runs / "runs")]) == 0
    header, one, two, broken = capsys.readouterr().out.splitlines()
    assert header.split() == ["run", "model", "dataset", "task", "epochs", "loss", "figure", "best", "at", "epoch"]
    assert one.split()[:2] == ["one", "mlp"]
    assert one.split()[4] == "3/3"
    assert two.split()[4] == "2/2"
    rows = train.load(runs / "runs" / "one").metrics
    assert f"{max(row['test']['accuracy'] for row in rows):.2%}" in one
    assert f"{min(row['test']['loss'] for row in rows):.4f}" in one
    assert broken.startswith("not listed: ")
    assert main(["list", str(runs / "runs"), "--csv"]) == 0
    table = [*csv.DictReader(capsys.readouterr().out.splitlines())]
    assert [row["run"] for row in table] == ["one", "two"]
    assert float(table[0]["best"]) == max(row["test"]["accuracy"] for row in rows)


def test_compare_draws_one_plot_and_says_the_differences(runs, capsys, tmp_path):
    paths = [str(runs / "runs" / name) for name in ("one", "two")]
    assert main(["compare", *paths, "--out", str(tmp_path / "both.png")]) == 0
    figures, differences, path = capsys.readouterr().out.rstrip("\n").split("\n\n")
    assert [line.split()[1] for line in figures.splitlines()[1:]] == ["3/3", "2/2"]
    assert [line.split() for line in differences.splitlines()[1:]] == [["epochs", "3", "2"]]
    assert matplotlib.image.imread(path).shape[0] > 300
    assert main(["compare", paths[0], paths[0], "--out", str(tmp_path / "same.png")]) == 0
    assert "the configurations are the same" in capsys.readouterr().out


def test_predict_writes_classes_and_probabilities_of_a_nested_folder(runs, capsys, tmp_path):
    out = tmp_path / "new" / "predictions.csv"
    command = ["predict", str(runs / "runs" / "one"), str(runs / "data"), "--out", str(out), "--batch-size", "7"]
    assert main(command) == 0
    assert capsys.readouterr().out.splitlines() == ["30 of 30 files are classified", str(out)]
    with out.open() as file:
        rows = [*csv.DictReader(file)]
    assert [row["file"] for row in rows[:2]] == ["blue/0.png", "blue/1.png"]
    run = train.load(runs / "runs" / "one")
    image = np.zeros((1, 6, 6, 3), np.float32)
    image[..., 2] = 1
    logits = np.asarray(run.model.apply(run.variables, run.preprocess(image)))[0]
    expected = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    order = np.argsort(-expected)
    assert [rows[0][f"class_{rank}"] for rank in (1, 2, 3)] == [run.classes[index] for index in order]
    probabilities = [float(rows[0][f"probability_{rank}"]) for rank in (1, 2, 3)]
    np.testing.assert_allclose(probabilities, expected[order], atol=2e-6)


def test_predict_lists_unreadable_files_and_skips_them_on_request(runs, capsys, tmp_path):
    Image.new("LA", (9, 4), (0, 0)).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"no picture")
    command = ["predict", str(runs / "runs" / "one"), str(tmp_path), "--out", str(tmp_path / "p.csv")]
    assert main(command) == 2
    assert "1 of 2 files cannot be read" in capsys.readouterr().err
    assert not (tmp_path / "p.csv").exists()
    assert main([*command, "--skip-broken"]) == 0
    output = capsys.readouterr()
    assert "1 of 2 files skipped: " in output.err
    assert output.out.startswith("1 of 2 files are classified")


def test_predict_takes_a_model_with_a_file_of_weights(runs, capsys, tmp_path):
    run = train.load(runs / "runs" / "one")
    zoo.save(tmp_path / "net.safetensors", run.model, run.variables, zoo.Preprocess(size=6))
    out, name = tmp_path / "predictions.csv", run.config.model
    command = ["predict", "--model", name, "--weights", str(tmp_path / "net.safetensors"), "--out", str(out)]
    assert main([*command, str(runs / "data")]) == 0
    with out.open() as file:
        row = next(csv.DictReader(file))
    image = np.zeros((1, 6, 6, 3), np.float32)
    image[..., 2] = 1
    best = int(run.model.apply(run.variables, image)[0].argmax())
    assert row["file"] == "blue/0.png"
    assert row["class_1"] == f"class {best}"


@pytest.mark.slow
def test_predict_names_photographs(capsys, tmp_path):
    require()
    shutil.copy(photograph("coffee.png"), tmp_path)
    shutil.copy(photograph("camera.png"), tmp_path)
    out = tmp_path / "predictions.csv"
    assert (
        main(["predict", "--model", "efficientnet_lite0", str(tmp_path), "--out", str(out), "--batch-size", "2"]) == 0
    )
    with out.open() as file:
        assert {row["file"]: row["class_1"] for row in csv.DictReader(file)} == {
            "camera.png": "tripod",
            "coffee.png": "espresso",
        }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["list", "nowhere"], "nowhere: no such folder"),
        (["list", "."], "holds no run"),
        (["compare", "one"], "1 run(s): expected 2 to 4"),
        (["compare", "one", "two"], "no run at one"),
        (["predict", "one", "."], "no run at one"),
        (["predict", "."], "give either RUN FOLDER"),
        (["predict", "one", ".", "--weights", "x.pth"], "a run has its own"),
        (["predict", "--model", "lenet5", "."], "no published weights of lenet5"),
        (["predict", "one", ".", "--batch-size", "0"], "batch_size=0"),
    ],
)
def test_bad_input_is_refused(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
