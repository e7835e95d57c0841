"""A data set of a user's own arrays, given to `train.Config` from Python."""

import json

import numpy as np
import pytest

import train
from train import run_directory
from train.datasets import Dataset, Split


def make(seed=0):
    images = np.random.default_rng(seed).uniform(size=(24, 8, 6, 1)).astype(np.float32)
    labels = (images.mean((1, 2, 3)) > np.median(images.mean((1, 2, 3)))).astype(np.int32)
    return Dataset("brightness", Split(images[:16], labels[:16]), Split(images[16:], labels[16:]), ("dark", "light"))


@pytest.fixture
def config(small, tmp_path):
    return lambda dataset, **changes: small(
        tmp_path / "run", dataset=dataset, **{"batch_size": 8, "epochs": 1, "size": None} | changes
    )


def test_arrays_train_and_load_and_resume_with_their_timing_apart(config, tmp_path, capsys):
    summary = train.run(config(make(), epochs=3))
    shown = capsys.readouterr().err
    lines = [line for line in shown.splitlines() if line.startswith("epoch ")]
    assert len(lines) == 3
    assert all(line.endswith(" images/s") for line in lines)
    rows = run_directory.read_rows(tmp_path / "run", "timing.jsonl")
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert all(row["seconds"] > 0 and row["images_per_second"] > 0 for row in rows)
    assert "images" not in (tmp_path / "run" / "metrics.jsonl").read_text()
    assert "brightness: 16 training and 8 test images of 8×6×1" in shown
    assert "2 classes, training+test: dark " in shown
    content = json.loads((tmp_path / "run" / "config.json").read_text())
    assert content["config"]["dataset"] == "memory:brightness"
    assert content["data"]["classes"] == ["dark", "light"]
    assert content["data"]["fingerprint"] == make().fingerprint()
    run = train.load(tmp_path / "run")
    assert (run.step, run.classes) == (6, ("dark", "light"))
    with pytest.raises(ValueError, match=r"memory:brightness came from arrays in memory.*pass the same Dataset"):
        _ = run.dataset
    assert train.run(config(make(), epochs=3)) == summary
    with pytest.raises(ValueError, match="are not those .* was begun with"):
        train.run(config(make(seed=1), epochs=3), quiet=True)
    with pytest.raises(ValueError, match="came from arrays in memory"):
        train.run(config("memory:brightness", size=8, epochs=3), quiet=True)


def test_arrays_are_used_as_they_are(config):
    with pytest.raises(ValueError, match=r"size=16: images of a Dataset are used as they are, \(8, 6, 1\)"):
        config(make(), size=16)
    with pytest.raises(ValueError, match="keep_proportions=True: images of a Dataset"):
        config(make(), keep_proportions=True)
