import hashlib

import numpy as np
from sklearn.datasets import load_digits

from train.datasets import digits


def test_the_split_is_fixed_and_stratified():
    dataset = digits.load(8)
    assert (len(dataset.train), len(dataset.test)) == (1437, 360)
    assert dataset.classes == tuple("0123456789")
    counts = np.bincount(load_digits().target)
    assert np.abs(np.bincount(dataset.test.labels) - counts / 5).max() < 1
    # Another split would make accuracies incomparable with those measured before.
    digest = hashlib.sha256(np.rint(dataset.test.images * 16).astype(np.uint8).tobytes()).hexdigest()
    assert digest.startswith("3cc232bd25364446")
    assert digits.load(8, seed=5).fingerprint() == dataset.fingerprint()


def test_every_image_is_in_one_split_with_its_own_label():
    dataset, source = digits.load(8), load_digits()
    found = {
        (image.tobytes(), int(label))
        for part in (dataset.train, dataset.test)
        for image, label in zip(np.rint(part.images[..., 0] * 16).astype(np.uint8), part.labels, strict=True)
    }
    expected = {
        (image.astype(np.uint8).tobytes(), int(label))
        for image, label in zip(source.images, source.target, strict=True)
    }
    assert found == expected


def test_resizing_keeps_the_mean_and_the_range():
    small, large = digits.load(8).test.images, digits.load(32).test.images
    assert large.shape == (360, 32, 32, 1)
    assert large.dtype == np.float32
    assert 0 <= large.min() <= large.max() <= 1
    np.testing.assert_allclose(large.mean((1, 2, 3)), small.mean((1, 2, 3)), atol=2e-2)
