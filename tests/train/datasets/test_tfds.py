import io
import urllib.error
import urllib.request
import warnings

import numpy as np
import pytest
from PIL import Image

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    tfds = pytest.importorskip("tensorflow_datasets")

import train.datasets.tfds as subject


def builder(name, splits, features):
    """A builder class named `name`, whose image i is of gray value 10 · i and of class i % 2."""

    def info(self):
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def split_generators(self, manager):
        return {split: self._generate_examples(count) for split, count in splits.items()}

    def generate(self, count):
        for index in range(count):
            file = io.BytesIO()
            Image.new("L", (6, 9), 10 * index).save(file, "PNG")
            yield index, {"image": file.getvalue(), "label": index % 2}

    members = {"_info": info, "_split_generators": split_generators, "_generate_examples": generate}
    members["VERSION"] = tfds.core.Version("1.0.0")
    with tfds.core.registered.skip_registration():
        return type(name, (tfds.core.GeneratorBasedBuilder,), members)


IMAGE = tfds.features.Image(shape=(None, None, 1))
LABELLED = {"image": IMAGE, "label": tfds.features.ClassLabel(names=["even", "odd"])}


def prepare(directory, *arguments):
    builder(*arguments)(data_dir=directory, file_format="array_record").download_and_prepare()
    return str(directory)


@pytest.mark.filterwarnings("ignore")
def test_sets_are_read_without_tensorflow(tmp_path):
    dataset = subject.load("both", 3, data_dir=prepare(tmp_path, "Both", {"train": 12, "test": 4}, LABELLED))
    assert dataset.name == "tfds:both"
    assert dataset.classes == ("even", "odd")
    assert (len(dataset.train), len(dataset.test)) == (12, 4)
    assert dataset.image_shape == (3, 3, 1)
    values = np.rint(dataset.train.images[:, 0, 0, 0] * 255 / 10).astype(int)
    assert sorted(values) == list(range(12))
    assert (values % 2 == dataset.train.labels).all()


@pytest.mark.filterwarnings("ignore")
def test_a_split_for_validation_is_read_on_request(tmp_path):
    directory = prepare(tmp_path, "Three", {"train": 6, "validation": 2, "test": 4}, LABELLED)
    assert subject.load("three", 3, data_dir=directory).validation is None
    dataset = subject.load("three", 3, data_dir=directory, validation=True)
    assert {name: len(split) for name, split in dataset.splits.items()} == {"train": 6, "validation": 2, "test": 4}


@pytest.mark.filterwarnings("ignore")
def test_a_set_without_a_test_split_is_cut(tmp_path):
    dataset = subject.load("alone", 3, data_dir=prepare(tmp_path, "Alone", {"train": 20}, LABELLED))
    assert np.bincount(dataset.train.labels).tolist() == [8, 8]
    assert np.bincount(dataset.test.labels).tolist() == [2, 2]


@pytest.mark.filterwarnings("ignore")
def test_what_cannot_be_used_is_refused_in_one_line(tmp_path):
    numbers = {"image": IMAGE, "label": tfds.features.Scalar(np.int64)}
    directory = prepare(tmp_path, "Numbers", {"train": 4}, numbers)
    with pytest.raises(ValueError, match=r"^tfds:numbers cannot be used: [^\n]*'image' and 'label'[^\n]*$"):
        subject.load("numbers", 3, data_dir=directory)
    message = r"^tfds:no_such_set cannot be used: [^\n]*not found[^\n]*--data-dir or TFDS_DATA_DIR[^\n]*$"
    with pytest.raises(ValueError, match=message):
        subject.load("no_such_set", 3, data_dir=directory)


@pytest.mark.filterwarnings("ignore")
def test_a_set_that_must_be_downloaded_says_so_and_fails_at_once_without_a_network(tmp_path, monkeypatch, capsys):
    def unreachable(request, timeout):
        assert timeout <= 10
        raise urllib.error.URLError("no network")

    monkeypatch.setattr(urllib.request, "urlopen", unreachable)
    with pytest.raises(ConnectionError, match="tfds:mnist must be downloaded, but https://.* cannot be reached"):
        subject.load("mnist", 8, data_dir=str(tmp_path))
    assert f"tfds:mnist is not prepared yet: downloading to {tmp_path}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.array([3000, 40000], np.uint16).reshape(1, 2, 1), [0.0458, 0.6104]),
        (np.array([0.25, 1.0]).reshape(1, 2, 1), [0.25, 1.0]),
        (np.array([[51, 51, 51, 255], [0, 0, 0, 0]], np.uint8).reshape(1, 2, 4), [0.2, 1.0]),
        (np.array([False, True]).reshape(1, 2, 1), [0.0, 1.0]),
    ],
)
def test_images_of_a_set_are_scaled_by_their_type(array, expected):
    image = subject._image(array, 2, keep_proportions=False)
    np.testing.assert_allclose(image[0, :, 0], expected, atol=1e-4)


def test_images_of_a_set_without_a_scale_are_refused():
    with pytest.raises(ValueError, match=r"an image of the set spans \[255, 255\]"):
        subject._image(np.full((2, 2, 3), 255.0), 2, keep_proportions=False)
