import functools

import numpy as np
import pytest

from train import datasets
from train.datasets import Dataset, Split, scenes


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("digit", "did you mean digits"),
        ("digits:8", "expected digits"),
        ("folder", "expected folder:PATH"),
        ("tfds:", "expected tfds:NAME"),
        ("scenes:", r"expected scenes\[:WATERMARK\]"),
        ("scenes:on", "watermark='on' is unknown, .*: expected 'none'"),
    ],
)
def test_unknown_names_are_refused_with_what_there_is(name, hint):
    with pytest.raises(ValueError, match=hint):
        datasets.load(name, size=16)


def test_scenes_are_found_with_and_without_a_watermark(monkeypatch):
    monkeypatch.setattr(scenes, "load", functools.partial(scenes.load, count=20, test_count=10))
    plain, marked = datasets.load("scenes", size=16), datasets.load("scenes:class", size=16)
    assert (plain.name, marked.name) == ("scenes", "scenes:class")
    expected = scenes.load(16, watermark="class")
    np.testing.assert_array_equal(marked.train.images, expected.train.images)
    assert plain.fingerprint() != marked.fingerprint()


@pytest.mark.parametrize("size", [0, -1, 8.0, True])
def test_size_must_be_a_positive_integer(size):
    with pytest.raises(ValueError, match="size="):
        datasets.load("digits", size=size)


def split(images=None, labels=None, **extra):
    images = np.zeros((4, 2, 2, 1), np.float32) if images is None else images
    return Split(images, np.array([0, 1, 0, 1], np.int32) if labels is None else labels, extra)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": np.zeros((4, 2, 2), np.float32)}, "expected \\(N, H, W, C\\)"),
        ({"images": np.zeros((4, 2, 2, 1))}, "float64"),
        ({"images": np.full((4, 2, 2, 1), 255, np.float32)}, "expected values in \\[0, 1\\]"),
        ({"images": np.full((4, 2, 2, 1), np.nan, np.float32)}, "expected values in \\[0, 1\\]"),
        ({"labels": np.zeros(3, np.int32)}, "labels of shape"),
        ({"labels": np.zeros(4, np.float32)}, "float32"),
        ({"mask": np.zeros(3)}, "3 entries for 4 images"),
    ],
)
def test_a_split_holds_what_it_says(change, message):
    with pytest.raises(ValueError, match=message):
        split(**change)


@pytest.mark.parametrize(
    ("test", "classes", "message"),
    [
        (split(), ("a",), "at least 2"),
        (split(np.zeros((4, 3, 2, 1), np.float32)), ("a", "b"), "shape"),
        (split(labels=np.array([0, 1, 2, 0], np.int32)), ("a", "b"), "labels from 0 to 2"),
    ],
)
def test_a_dataset_fits_together(test, classes, message):
    with pytest.raises(ValueError, match=message):
        Dataset("toy", split(), test, classes)


def test_the_fingerprint_sees_one_changed_pixel_and_one_changed_label():
    toy = Dataset("toy", split(), split(), ("a", "b"))
    images = split().images.copy()
    images[3, 1, 1, 0] = 1e-6
    others = [split(images), split(labels=np.array([0, 1, 1, 1], np.int32))]
    prints = {Dataset("toy", split(), other, ("a", "b")).fingerprint() for other in others} | {toy.fingerprint()}
    assert len(prints) == 3
    assert Dataset("again", split(), split(), ("a", "b")).fingerprint() == toy.fingerprint()
