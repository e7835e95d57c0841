import jax
import numpy as np
import pytest

from analysis import attacks
from analysis.attacks.boundary import TRIES
from tests.analysis.attacks.test_square_search import WEIGHTS

KEY = jax.random.key(0)
IMAGES = np.random.default_rng(1).uniform(0.4, 0.6, (4, 6, 6, 1)).astype(np.float32)
ORDERS = {"l2": 2, "linf": np.inf}
NORMS = pytest.mark.parametrize("norm", ORDERS)


def levels(images):
    return np.stack([np.tensordot(image - 0.5, WEIGHTS, 3) for image in images])


def linear(images):
    return (levels(images) < 0).astype(int)


def distances(images, norm):
    return np.linalg.norm((images - IMAGES).reshape(len(images), -1).astype(np.float64), ORDERS[norm], axis=1)


@pytest.mark.parametrize(("norm", "dual", "factor"), [("l2", 2, 1.06), ("linf", 1, 1.1)])
def test_it_comes_near_the_boundary_of_a_linear_model(norm, dual, factor):
    labels = linear(IMAGES)
    made = attacks.hop_skip_jump(linear, IMAGES, labels, norm, 2500, KEY)
    nearest = np.abs(levels(IMAGES)) / np.linalg.norm(WEIGHTS.ravel(), dual)
    assert (linear(made.images) != labels).all()
    assert made.queries.tolist() == [2500] * 4
    assert (distances(made.images, norm) <= factor * nearest).all()
    assert (distances(made.images, norm) >= (1 - 1e-4) * nearest).all()


@NORMS
def test_more_queries_come_nearer(norm):
    lengths = [
        distances(attacks.hop_skip_jump(linear, IMAGES, linear(IMAGES), norm, queries, KEY).images, norm)
        for queries in (30, 200, 600)
    ]
    assert (np.diff(lengths, axis=0) <= 0).all()
    assert (lengths[2] < 0.7 * lengths[0]).all()


ISLAND = np.linspace(0, 1, 36, dtype=np.float32).reshape(6, 6, 1)


def island(images):
    """Class 1 close to one image, which no random image is."""
    return (np.abs(images - ISLAND).max((1, 2, 3)) < 0.1).astype(int)


@NORMS
def test_starts_are_tried_first_and_are_needed_where_no_random_image_serves(norm):
    images, none = IMAGES[:2], [0, 0]
    lost = attacks.hop_skip_jump(island, images, none, norm, 300, KEY)
    np.testing.assert_array_equal(lost.images, images)
    assert lost.queries.tolist() == [1 + TRIES] * 2
    starts = np.stack([ISLAND, ISLAND])
    made = attacks.hop_skip_jump(island, images, none, norm, 300, KEY, starts=starts)
    assert island(made.images).all()
    order = ORDERS[norm]
    reached, start = (np.linalg.norm((x - images).reshape(2, -1), order, axis=1) for x in (made.images, starts))
    assert (reached < start).all()


def test_images_of_one_pixel():
    image = np.full((1, 1, 1, 1), 0.5, np.float32)
    made = attacks.hop_skip_jump(lambda x: (x[:, 0, 0, 0] > 0.75).astype(int), image, [0], "linf", 100, KEY)
    assert 0.75 < made.images.item() < 0.76
