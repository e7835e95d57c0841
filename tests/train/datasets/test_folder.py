import numpy as np
import pytest
from PIL import Image

from train import datasets
from train.datasets import folder


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
    with pytest.raises(ValueError, match=r"two.png cannot be read"):
        folder.load(str(pictures), size=4)
