import csv
import dataclasses
import statistics

import numpy as np
import pytest

import train
from train import folds, run_directory
from train.__main__ import main
from train.datasets import Dataset, Split


def make(counts=(13, 7, 4)):
    labels = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    images = (np.arange(len(labels)) / 100).astype(np.float32).reshape(-1, 1, 1, 1) * np.ones((1, 4, 4, 1), np.float32)
    return Dataset("levels", Split(images, labels), Split(images[:3] + 0.5, labels[:3]), ("a", "b", "c"))


def test_every_training_image_is_tested_once_and_classes_are_shared_out():
    dataset, levels = make(), []
    for number in range(1, 6):
        part = dataset.fold(number, 5)
        assert len(part.train) + len(part.test) == len(dataset.train)
        assert len(part.test) in (4, 5)
        counts = np.bincount(part.test.labels, minlength=3)
        assert (np.abs(counts - np.array([13, 7, 4]) / 5) < 1).all()
        assert not set(part.train.images[:, 0, 0, 0]) & set(part.test.images[:, 0, 0, 0])
        levels += part.test.images[:, 0, 0, 0].tolist()
    assert sorted(levels) == sorted(dataset.train.images[:, 0, 0, 0].tolist())


def test_a_class_that_would_be_tested_and_not_trained_is_refused():
    with pytest.raises(ValueError, match="class 'c' has 1 training image of levels"):
        make((13, 7, 1)).fold(1, 5)
    with pytest.raises(ValueError, match="there are 6 training images"):
        make((2, 2, 2)).fold(1, 7)


def test_all_folds_are_trained_and_resumed_and_summed_up(tmp_path, small, monkeypatch):
    config = small(tmp_path / "cv", dataset=make(), size=None, batch_size=8, epochs=1, fields={"widths": (4,)})
    original, started = folds.loop.run, []

    def fail_once(part, quiet, after_epoch):
        started.append(part.fold)
        if len(started) == 2:
            raise KeyboardInterrupt
        return original(part, quiet, after_epoch=after_epoch)

    monkeypatch.setattr(folds.loop, "run", fail_once)
    with pytest.raises(KeyboardInterrupt):
        folds.run(config, 2, quiet=True)
    first = (tmp_path / "cv" / "fold-1" / "metrics.jsonl").stat().st_mtime_ns
    result = folds.run(config, 2, quiet=True)
    assert started == ["1/2", "2/2", "1/2", "2/2"]
    assert (tmp_path / "cv" / "fold-1" / "metrics.jsonl").stat().st_mtime_ns == first
    tests = [
        run_directory.read_rows(tmp_path / "cv" / f"fold-{number}", "metrics.jsonl")[-1]["test"] for number in (1, 2)
    ]
    assert result.figures == tuple(tests)
    losses = [figures["loss"] for figures in tests]
    assert result.mean["loss"] == pytest.approx(sum(losses) / 2)
    assert result.deviation["loss"] == pytest.approx(statistics.stdev(losses))
    assert f"loss {result.mean['loss']:.4f} ± {result.deviation['loss']:.4f}" in str(result)
    with (tmp_path / "cv" / "folds.csv").open() as file:
        rows = [*csv.DictReader(file)]
    assert [row["fold"] for row in rows] == ["fold 1", "fold 2", "mean", "sd"]
    assert float(rows[0]["loss"]) == losses[0]
    run = train.load(tmp_path / "cv" / "fold-2")
    assert run.config.fold == "2/2"
    with pytest.raises(ValueError, match="fold='1/3'"):
        folds.run(dataclasses.replace(config, fold="1/3"), 3)
    with pytest.raises(ValueError, match="holds a run"):
        folds.run(dataclasses.replace(config, out=str(tmp_path / "cv" / "fold-1")), 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--folds", "1"], "folds=1: expected an integer of at least 2"),
        (["--fold", "0/5"], "fold='0/5': expected NUMBER/FOLDS"),
        (["--fold", "6/5"], "fold='6/5'"),
        (["--fold", "half"], "such as 2/5"),
        (["--folds", "3", "--fold", "1/3"], "expected one of fold"),
    ],
)
def test_bad_input_is_refused(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["mlp", "--size", "8", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
