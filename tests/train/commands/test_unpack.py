import numpy as np
import pytest

from train import datasets
from train.__main__ import main


def test_the_folder_holds_the_images_that_were_written(tmp_path, capsys):
    assert main(["unpack", "digits", str(tmp_path / "digits"), "--size", "8"]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'digits'}: 1,437 in train, 360 in test, of 10 classes\n"
    original, read = datasets.load("digits", 8), datasets.load(f"folder:{tmp_path / 'digits'}", 8)
    assert read.classes == original.classes
    for name, split in original.splits.items():
        order = np.argsort(split.labels, kind="stable")  # folder by folder
        np.testing.assert_array_equal(read.splits[name].labels, split.labels[order])
        images = read.splits[name].images.mean(-1, keepdims=True)
        np.testing.assert_allclose(images, split.images[order], atol=0.51 / 255)


def test_bad_input_is_refused_and_nothing_is_written(tmp_path, capsys):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("")
    for arguments, message in [
        (["digit", "new"], "did you mean digits"),
        (["digits", "new", "--size", "0"], "size=0"),
        (["digits", "full"], "expected a new or an empty folder"),
    ]:
        assert main(["unpack", arguments[0], str(tmp_path / arguments[1]), *arguments[2:]]) == 2
        assert message in capsys.readouterr().err
    assert not (tmp_path / "new").exists()
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("classes", "channels", "message"),
    [((), 1, "no classes"), (("a/b", "c"), 1, "'a/b'"), (("a", "b"), 2, "2 channels")],
)
def test_what_no_folder_of_pictures_holds_is_refused(classes, channels, message, tmp_path):
    from train.commands import unpack

    labels = np.zeros(2 if classes else 0, np.int32)
    split = datasets.Split(np.zeros((2, 4, 4, channels), np.float32), labels)
    with pytest.raises(ValueError, match=message):
        unpack.unpack(datasets.Dataset("mine", split, split, classes), tmp_path / "new")
    assert not (tmp_path / "new").exists()
