import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from train.datasets import faces


def test_an_image_depends_on_seed_identity_and_number_alone():
    few, many = (faces.load(16, identities=count, images=4, test_identities=2) for count in (3, 5))
    np.testing.assert_array_equal(few.train.images, many.train.images[:12])
    np.testing.assert_array_equal(few.test.images[:4], many.train.images[12:16])
    other = faces.load(16, seed=1, identities=3, images=4, test_identities=2)
    assert abs(few.train.images - other.train.images).max() > 0.3
    assert len(np.unique(many.train.images, axis=0)) == 20


def test_test_identities_are_new_and_images_alternate_in_groups():
    data = faces.load(16, identities=5, images=8, test_identities=3)
    assert set(data.train.labels) == {0, 1, 2, 3, 4}
    assert set(data.test.labels) == {5, 6, 7}
    assert data.test.labels.tolist() == 2 * [5, 5, 5, 5, 6, 6, 6, 6, 7, 7, 7, 7]
    assert len(data.classes) == 8


def test_pixels_do_not_tell_the_identity_but_are_not_without_it():
    """Pose and light change more than the identity does, which is in the images all the same."""
    data = faces.load(16, identities=20, images=12, test_identities=2)
    pixels, labels = data.train.images.reshape(240, -1), data.train.labels
    first = np.arange(240) < 160
    score = KNeighborsClassifier(1).fit(pixels[first], labels[first]).score(pixels[~first], labels[~first])
    assert 0.1 < score < 0.7


@pytest.mark.parametrize(
    ("change", "message"), [({"size": 8}, "size=8"), ({"images": 1}, "images=1"), ({"identities": 0}, "identities=0")]
)
def test_bad_values_are_refused_by_name(change, message):
    with pytest.raises(ValueError, match=message):
        faces.load(**change)
