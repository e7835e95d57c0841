import numpy as np
import pytest
from PIL import Image

from train import datasets


@pytest.fixture
def pictures(tmp_path):
    """Six pictures without folders: of dark ones the level is even."""
    for level in range(6):
        Image.new("L", (5, 5), level).save(tmp_path / f"{level}.png")

    def write(*rows, header="file,class"):
        (tmp_path / "manifest.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8-sig")
        return f"folder:{tmp_path}"

    return write


def levels(split):
    return np.rint(255 * split.images[:, 0, 0, 0]).astype(int).tolist()


def test_a_manifest_says_the_classes(pictures):
    name = pictures(*(f"{level}.png,{('even', 'odd')[level % 2]}" for level in range(6)))
    dataset = datasets.load(name, size=5)
    assert dataset.classes == ("even", "odd")
    for split in dataset.splits.values():
        assert (split.labels == np.array(levels(split)) % 2).all()
    assert sorted(levels(dataset.train) + levels(dataset.test)) == [*range(6)]
    assert dataset.note.startswith("manifest.csv: a fifth of each class")


def test_a_manifest_says_the_splits(pictures):
    splits = ("train", "train", "test", "test", "val", "val")
    rows = [f"{split}, {level}.png, x{level % 2}, a note" for level, split in enumerate(splits)]
    name = pictures(*rows, header="split, file, class, remark")
    dataset = datasets.load(name, size=5, validation=True)
    assert {split: levels(images) for split, images in dataset.splits.items()} == {
        "train": [0, 1],
        "validation": [4, 5],
        "test": [2, 3],
    }
    assert dataset.note == "manifest.csv: trained on train/, tested on test/, validated on val/"


@pytest.mark.parametrize(
    ("header", "rows", "message"),
    [
        ("file,class", ["0.png,a", "7.png,b"], "manifest.csv, line 3: no such file 7.png"),
        ("file,class", ["0.png,a", "0.png,b"], "line 3: 0.png is in line 2 already"),
        ("file,class", ["0.png,a", "1.png,", ",b"], "line 3: no class; line 4: no file"),
        ("file,class", [f"x{n}.png,a" for n in range(9)], "line 6: no such file x4.png; and 4 more"),
        ("file,class,split", ["0.png,a,train", "1.png,b,tset"], "split 'tset', did you mean test?: expected one of"),
        ("file,class,split", ["0.png,a,train", "1.png,b,"], "line 3: split ''"),
        ("file,class,split", ["0.png,a,train", "1.png,b,train"], "has no row of split 'test'"),
        ("file,class,split", ["0.png,a,train", "1.png,b,train", "2.png,c,test"], "test/ has a class 'c'"),
        ("file,class", ["0.png,a", "1.png,a"], "has 1 class"),
        ("file,klass", ["0.png,a"], "has no column 'class', but it has klass"),
        ("file;class", ["0.png;a"], "has no column 'file'"),
        ("", [], "has no column 'file'"),
    ],
)
def test_wrong_rows_are_named_by_their_line(pictures, header, rows, message):
    with pytest.raises(ValueError, match=message.replace("?", r"\?")):
        datasets.load(pictures(*rows, header=header), size=5)
