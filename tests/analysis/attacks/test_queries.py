"""The seam between attacks and functions that are only called: packing of calls, counting, and reading of answers."""

import jax
import numpy as np
import pytest

from analysis.attacks.goal import Goal
from analysis.attacks.queries import attack, generators, of_labels, of_scores

IMAGES = np.linspace(0.1, 0.9, 6, dtype=np.float32).reshape(6, 1, 1, 1)
GOAL = Goal(np.array([0, 1, 2]), np.array([1.0, 1.0, -1.0]))


def scores(images):
    """Class 1 from a half on."""
    level = images[:, 0, 0]
    return np.concatenate([1 - level, level], 1)


def asks(*sizes):
    """A plan that asks for so many images at once, and returns the sum of what it is told."""

    def plan(index, image, random):
        total = 0.0
        for size in sizes[: 1 + index]:
            total += (yield np.repeat(image[None], size, 0)).sum()
        return np.full_like(image, total)

    return plan


@pytest.mark.parametrize("batch_size", [None, 1, 2, 5, 40])
def test_requests_are_packed_into_calls_and_put_together_again(batch_size):
    sizes = []

    def predict(images):
        sizes.append(len(images))
        return scores(images)

    made = attack(predict, of_scores, IMAGES, [0] * 6, None, batch_size, None, asks(3, 1, 7))
    np.testing.assert_array_equal(made.queries, [3, 4, 11, 11, 11, 11])
    np.testing.assert_allclose(made.images, (2 * IMAGES - 1) * made.queries[:, None, None, None], rtol=1e-5)
    if batch_size is None:
        assert sizes == [18, 5, 28]
    else:
        assert {*sizes} == {batch_size}
        assert sum(sizes) - 51 < 3 * batch_size, "only calls of the last image are filled, which asks thrice"


def test_requests_of_no_image_are_refused():
    def plan(index, image, random):
        yield image[None][:0]

    with pytest.raises(ValueError, match="asked about no image"):
        attack(scores, of_scores, IMAGES, [0] * 6, None, None, None, plan)


def test_margins_of_scores():
    values = np.array([[3.0, 1.0, 2.0], [3.0, 1.0, 2.0], [3.0, 1.0, 2.0]], np.float16)
    assert of_scores(values, GOAL).tolist() == [-1.0, 2.0, -1.0]
    assert np.isnan(of_scores(np.where(values == 1, -np.inf, values), GOAL)).all()


def test_margins_of_labels():
    assert of_labels(np.array([0, 0, 2]), GOAL).tolist() == [-1.0, 1.0, 1.0]


@pytest.mark.parametrize("make", [jax.random.key, jax.random.PRNGKey, lambda seed: jax.random.key(seed, impl="rbg")])
def test_generators_come_from_the_key_of_the_image(make):
    draws = [random.random() for random in generators(make(3), 4)]
    assert len({*draws}) == 4
    assert draws[:2] == [random.random() for random in generators(make(3), 2)]
    assert draws != [random.random() for random in generators(make(4), 4)]
