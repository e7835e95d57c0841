"""Pictures at the size of a data set."""

import io
import resource

import numpy as np
import pytest
from PIL import Image

from train.datasets import decoding


@pytest.fixture
def picture():
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (31, 17, 3), np.uint8))


@pytest.mark.parametrize("keep_proportions", [False, True])
def test_arrays_are_resized_as_pictures_are(picture, keep_proportions):
    """So that a command shows a run the same image as its data set did."""
    file = io.BytesIO()
    picture.save(file, "PNG")
    image, several = decoding.decode(file.getvalue(), 8, keep_proportions)
    assert not several
    resized = decoding.resize(np.asarray(picture) / np.float32(255), 8, keep_proportions)
    np.testing.assert_allclose(resized, image / np.float32(255), atol=1.01 / 255)
    assert np.ptp(decoding.pixels(picture, 8, True) - decoding.pixels(picture, 8, False)) > 0.05


@pytest.mark.parametrize("keep_proportions", [False, True])
def test_a_long_picture_is_not_made_longer(keep_proportions):
    long = Image.fromarray(np.arange(20_000, dtype=np.uint16).astype(np.uint8).reshape(-1, 1).repeat(20, 1))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert decoding.square(long, 224, keep_proportions).shape == (224, 224, 1)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KiB
