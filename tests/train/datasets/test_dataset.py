import numpy as np
import pytest

from train.datasets import Dataset, Split


def split(labels, start=0):
    labels = np.array(labels, np.int32)
    images = (start + np.arange(max(len(labels), 8)) / 100).astype(np.float32).reshape(-1, 1, 1, 1)
    return Split(images, labels, {"place": images[:, 0, 0]})


TRAIN, TEST = split([0] * 20 + [1] * 4 + [2], 0.0), split([0, 1, 2, 0, 1, 2, 0, 1], 0.5)
DATASET = Dataset("toy", TRAIN, TEST, ("many", "few", "one"))


def test_every_class_gives_its_share_and_a_single_image_stays():
    parts = DATASET.with_validation(0.25, seed=3)
    assert np.bincount(parts.validation.labels, minlength=3).tolist() == [5, 1, 0]
    assert np.bincount(parts.train.labels).tolist() == [15, 3, 1]
    for part in (parts.train, parts.validation):
        np.testing.assert_array_equal(part.extra["place"], part.images[:, 0, 0])
        matches = np.searchsorted(TRAIN.images.ravel(), part.images.ravel())
        np.testing.assert_array_equal(TRAIN.labels[matches], part.labels)
    assert parts.test is TEST
    assert not set(parts.train.images.ravel()) & set(parts.validation.images.ravel())


def test_the_draw_follows_from_the_seed():
    first, again, other = (DATASET.with_validation(0.25, seed=seed) for seed in (0, 0, 1))
    assert first.fingerprint() == again.fingerprint()
    assert first.fingerprint() != other.fingerprint()
    assert first.fingerprint() != DATASET.fingerprint()


def test_images_without_classes_are_one_class():
    plain = split([])
    parts = Dataset("plain", plain, plain).with_validation(0.5, seed=0)
    assert (len(parts.train), len(parts.validation), len(parts.train.labels)) == (4, 4, 0)


def test_nothing_to_set_aside_is_refused():
    with pytest.raises(ValueError, match="no class of two training images"):
        Dataset("toy", TRAIN.rows(np.array([0, 20])), TEST, ("a", "b", "c")).with_validation(0.5, seed=0)


def test_labels_of_any_integer_type_are_kept_as_int32():
    given = Split(TRAIN.images, TRAIN.labels.astype(np.int64), {})
    assert given.labels.dtype == np.int32
    np.testing.assert_array_equal(given.labels, TRAIN.labels)
    for wrong in (TRAIN.labels.astype(np.float32), TRAIN.labels + np.int64(2**40)):
        with pytest.raises(ValueError, match="integers"):
            Split(TRAIN.images, wrong)


def test_labels_without_names_say_what_is_missing():
    with pytest.raises(ValueError, match=r"for 0 classes: give their names as classes="):
        Dataset("toy", TRAIN, TEST)
