import os
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from convzoo.pictures import below
from train import datasets
from train.datasets import decoding, folder
from train.datasets import pictures as pictures_module


@pytest.fixture
def pictures(tmp_path):
    """Ten red and five blue pictures, some deeper down, of odd sizes and formats."""
    for index in range(10):
        path = tmp_path / "red" / ("deep" if index % 2 else ".") / f"{index}.{'png' if index % 3 else 'jpg'}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (9 + index, 7), (255, 0, 0)).save(path)
    (tmp_path / "blue").mkdir()
    for index in range(5):
        Image.new("RGBA", (6, 12 + index), (0, 0, 255, 255)).save(tmp_path / "blue" / f"{index}.PNG")
    (tmp_path / "blue" / "notes.txt").write_text("no picture")
    (tmp_path / "empty").mkdir()
    return tmp_path


def test_classes_are_sub_folders_and_each_has_its_share(pictures):
    dataset = datasets.load(f"folder:{pictures}", size=4)
    assert dataset.classes == ("blue", "red")
    assert np.bincount(dataset.train.labels).tolist() == [4, 8]
    assert np.bincount(dataset.test.labels).tolist() == [1, 2]
    for split in (dataset.train, dataset.test):
        colours = np.where(split.labels[:, None] == 0, [[0, 0, 1.0]], [[1.0, 0, 0]])
        np.testing.assert_allclose(split.images.mean((1, 2)), colours, atol=0.02)


@pytest.mark.parametrize("folders", [False, True])
def test_images_come_with_the_names_of_their_files(tmp_path, folders):
    for split in ("train", "test") if folders else (".",):
        for label in ("dark", "light"):
            (tmp_path / split / label).mkdir(parents=True)
            for index in range(5):
                level = 20 * index + 100 * (label == "light")
                Image.new("L", (5, 5), level).save(tmp_path / split / label / f"grey{level}.png")
    dataset = folder.load(str(tmp_path), size=5)
    for images in (dataset.train, dataset.test):
        levels = np.rint(255 * images.images[:, 0, 0, 0]).astype(int)
        assert images.extra["file"].tolist() == [f"grey{level}.png" for level in levels]


def test_the_split_follows_from_the_seed(pictures):
    first, again, other = (folder.load(str(pictures), size=4, seed=seed).fingerprint() for seed in (0, 0, 1))
    assert first == again != other


def test_gray_pictures_stay_gray_unless_some_are_coloured(tmp_path):
    for name in ("dark", "light"):
        (tmp_path / name).mkdir()
        for index in range(3):
            Image.new("L", (5, 5), 40 * index).save(tmp_path / name / f"{index}.png")
    assert folder.load(str(tmp_path), size=5).image_shape == (5, 5, 1)
    Image.new("RGB", (5, 5), (1, 2, 3)).save(tmp_path / "dark" / "colour.png")
    assert folder.load(str(tmp_path), size=5).image_shape == (5, 5, 3)


def test_what_is_wrong_is_named(pictures):
    with pytest.raises(ValueError, match="no such folder"):
        folder.load(str(pictures / "nowhere"), size=4)
    with pytest.raises(ValueError, match="1 sub-folder"):
        folder.load(str(pictures / "red"), size=4)
    (pictures / "single").mkdir()
    Image.new("RGB", (3, 3)).save(pictures / "single" / "one.png")
    with pytest.raises(ValueError, match="class 'single' has 1 image"):
        folder.load(str(pictures), size=4)
    (pictures / "single" / "two.png").write_bytes(b"not a picture")
    with pytest.raises(ValueError, match=r"1 of 17 files cannot be read as a picture: .*two.png \(not a picture\)"):
        folder.load(str(pictures), size=4)


def paint(folder, colour, count=2, size=(5, 5)):
    folder.mkdir(parents=True)
    for index in range(count):
        Image.new("RGB", size, colour).save(folder / f"{index}.png")


@pytest.fixture
def splits(tmp_path):
    """Folders of splits: red and blue to train on, blue alone and red to test on."""
    for split, count in (("train", 3), ("val", 2)):
        paint(tmp_path / split / "red", (255, 0, 0), count)
        paint(tmp_path / split / "blue", (0, 0, 255), count)
    return tmp_path


@pytest.mark.parametrize("name", ["val", "valid", "validation", "test"])
def test_folders_of_splits_are_used_as_they_are(splits, name):
    (splits / "val").rename(splits / name)
    (splits / "notes").mkdir()
    dataset = datasets.load(f"folder:{splits}", size=4)
    assert dataset.classes == ("blue", "red")
    assert (np.bincount(dataset.train.labels).tolist(), np.bincount(dataset.test.labels).tolist()) == ([3, 3], [2, 2])
    np.testing.assert_array_equal(dataset.test.images[dataset.test.labels == 0][:, 0, 0], [[0, 0, 1]] * 2)
    assert dataset.note == f"trained on train/, tested on {name}/"


@pytest.mark.parametrize(("train", "test"), [("Train", "Test"), ("training", "testing"), ("TRAINING", "Valid")])
def test_other_names_of_splits_are_no_classes(splits, train, test):
    (splits / "train").rename(splits / "training-moved")
    (splits / "training-moved").rename(splits / train)
    (splits / "val").rename(splits / test)
    dataset = datasets.load(f"folder:{splits}", size=4)
    assert dataset.classes == ("blue", "red")
    assert (np.bincount(dataset.train.labels).tolist(), np.bincount(dataset.test.labels).tolist()) == ([3, 3], [2, 2])


def test_two_folders_for_one_split_are_refused(splits):
    shutil.copytree(splits / "train", splits / "Training")
    with pytest.raises(ValueError, match="Training/ and train/: expected one of them"):
        datasets.load(f"folder:{splits}", size=4)


def test_test_comes_before_val_and_its_labels_follow_the_classes_of_train(splits):
    paint(splits / "train" / "azure", (0, 128, 255))
    paint(splits / "test" / "red", (255, 0, 0), 1)
    paint(splits / "test" / "blue", (0, 0, 255), 1)
    dataset = datasets.load(f"folder:{splits}", size=4)
    assert dataset.classes == ("azure", "blue", "red")
    assert dataset.test.labels.tolist() == [1, 2]
    assert dataset.note == "trained on train/, tested on test/; not used: val/"


def test_a_second_folder_to_test_on_is_for_validation(splits):
    for label, colour in (("red", (255, 0, 0)), ("blue", (0, 0, 255))):
        paint(splits / "test" / label, colour, 1)
    name = f"folder:{splits}"
    assert datasets.load(name, size=4).validation is None
    dataset = datasets.load(name, size=4, validation=True)
    assert dataset.validation.labels.tolist() == [0, 0, 1, 1]
    assert (len(dataset.train), len(dataset.test)) == (6, 2)
    assert dataset.note == "trained on train/, tested on test/, validated on val/"
    own = dataset.with_validation(0.3, seed=0)
    assert (len(own.train), own.validation) == (6, dataset.validation)
    assert dataset.with_validation(0.0, seed=0).validation is None
    paint(splits / "val" / "green", (0, 255, 0))
    assert len(folder.load(str(splits), size=4).test) == 2
    with pytest.raises(ValueError, match="val/ has a class 'green'"):
        folder.load(str(splits), size=4, validation=True)


def test_folders_that_are_neither_splits_nor_classes_are_refused(splits):
    paint(splits / "test" / "green", (0, 255, 0))
    paint(splits / "test" / "red", (255, 0, 0))
    with pytest.raises(ValueError, match="test/ has a class 'green', but train/ has only blue, red"):
        folder.load(str(splits), size=4)
    paint(splits / "cats", (1, 2, 3))
    with pytest.raises(ValueError, match="train/ and test/ beside cats/: expected splits or classes"):
        folder.load(str(splits), size=4)


def test_a_split_without_its_other_is_refused(splits):
    (splits / "val").rename(splits / ".val")
    with pytest.raises(ValueError, match="holds train/, but no test/ or val/"):
        folder.load(str(splits), size=4)


def test_hidden_folders_and_files_are_ignored(pictures):
    before = folder.load(str(pictures), size=4).fingerprint()
    paint(pictures / ".thumbnails", (9, 9, 9))
    paint(pictures / "red" / ".cache", (9, 9, 9))
    (pictures / "blue" / "._1.png").write_bytes(b"resource fork")
    paint(pictures / "__MACOSX" / "red", (9, 9, 9))
    paint(pictures / "red" / "deep" / ".ipynb_checkpoints", (9, 9, 9))
    (pictures / "blue" / "Thumbs.db").write_bytes(b"thumbnails")
    assert folder.load(str(pictures), size=4).fingerprint() == before


def test_one_picture_of_each_person_makes_no_pair(tmp_path):
    for person in ("anna", "bert", "carl"):
        (tmp_path / person).mkdir()
        Image.new("L", (5, 5)).save(tmp_path / person / "only.png")
    with pytest.raises(ValueError, match="'anna' has 1 image.*one image of each class no pair of a class can be made"):
        datasets.load(f"folder:{tmp_path}", size=4)


def test_proportions_are_kept_on_request(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for index in range(2):
            wide = Image.new("L", (12, 4), 0)
            wide.paste(255, (4, 0, 8, 4))
            wide.save(tmp_path / name / f"{index}.png")
    squeezed = datasets.load(f"folder:{tmp_path}", size=4).train.images
    cropped = datasets.load(f"folder:{tmp_path}", size=4, keep_proportions=True).train.images
    assert cropped.min() == 1
    assert squeezed.min() == 0
    with pytest.raises(ValueError, match="keep_proportions=True: dataset 'digits' has no such option"):
        datasets.load("digits", size=8, keep_proportions=True)


def test_broken_files_are_listed_or_skipped_with_their_number(splits):
    (splits / "train" / "red" / "a.png").write_bytes(b"not a picture")
    (splits / "val" / "blue" / "b.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(ValueError, match=r"2 of 12 files cannot be read .*: .*a.png \(not a picture\), .*b.png"):
        folder.load(str(splits), size=4)
    dataset = folder.load(str(splits), size=4, skip_broken=True)
    assert (len(dataset.train), len(dataset.test)) == (6, 4)
    assert "2 of 12 files skipped: " in dataset.note
    assert "a.png" not in dataset.train.extra["file"]
    for file in (splits / "train" / "blue").iterdir():
        file.write_bytes(b"")
    with pytest.raises(ValueError, match="class 'blue' has no readable picture to train on"):
        folder.load(str(splits), size=4, skip_broken=True)


def test_decoded_pictures_are_kept_and_changed_files_are_decoded_again(splits, tmp_path_factory, monkeypatch):
    monkeypatch.setenv("CONVZOO_CACHE", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setattr(pictures_module, "WORTH_KEEPING", 1)
    decoded = []

    def decode(content, *arguments):
        decoded.append(content)
        return decoding.decode(content, *arguments)

    monkeypatch.setattr(pictures_module, "decoding", SimpleNamespace(**vars(decoding) | {"decode": decode}))
    deep = splits / "train" / "red" / "0.png"
    Image.fromarray(np.full((5, 5), 1001, np.uint16)).save(deep)
    first = folder.load(str(splits), size=4)
    assert len(decoded) == 10
    assert folder.load(str(splits), size=4).fingerprint() == first.fingerprint()
    assert len(decoded) == 10
    before = deep.stat()
    Image.fromarray(np.full((5, 5), 1002, np.uint16)).save(deep)
    os.utime(deep, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert deep.stat().st_size == before.st_size
    changed = folder.load(str(splits), size=4)
    assert len(decoded) == 11
    assert changed.train.images[3, 0, 0, 0] == pytest.approx(1002 / 65535)
    folder.load(str(splits), size=3)
    assert len(decoded) == 21
    for file in pictures_module.disk.cache_directory().rglob("*.npz"):
        content = bytearray(file.read_bytes())
        content[content.index(b"NUMPY") + 128] ^= 1  # a pixel
        file.write_bytes(content)
    assert folder.load(str(splits), size=4).fingerprint() == changed.fingerprint()
    assert len(decoded) == 31


def test_files_are_sorted_as_paths_are(tmp_path):
    for name in ("b/a.png", "b.c/a.png", "b/c/z.PNG", "b-c/a.jpg", ".h/a.png", "b/.a.png", "b/a.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    files = below(tmp_path)
    assert [file.relative_to(tmp_path).as_posix() for file in files] == [
        *("b/a.png", "b/c/z.PNG", "b-c/a.jpg", "b.c/a.png")
    ]
    assert files == sorted(files)


def test_further_frames_are_left_out_and_told_with_or_without_the_cache(splits, tmp_path_factory, monkeypatch):
    monkeypatch.setenv("CONVZOO_CACHE", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setattr(pictures_module, "WORTH_KEEPING", 1)
    frames = [Image.new("RGB", (5, 5), colour) for colour in ((250, 0, 0), (0, 250, 0))]
    frames[0].save(splits / "train" / "red" / "a.gif", save_all=True, append_images=frames[1:])
    notes = [folder.load(str(splits), size=4, stream=stream).note for stream in (False, False, True)]
    for note in notes:
        assert "1 file(s) hold several pictures, such as " in note
        assert "a.gif: the first of each is used" in note
    assert notes[0] == notes[1]


@pytest.mark.parametrize("stream", [False, True])
def test_a_pipe_among_the_pictures_is_refused_and_does_not_hang(splits, stream):
    os.mkfifo(splits / "train" / "red" / "x.png")
    with pytest.raises(ValueError, match=r"1 of 11 files cannot be read .*x.png \(not a regular file\)"):
        folder.load(str(splits), size=4, stream=stream)
