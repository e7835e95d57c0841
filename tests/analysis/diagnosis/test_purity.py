import itertools

import numpy as np
import pytest

from analysis.diagnosis.purity import chance_purity, class_purity
from analysis.features.top_images import top_images


def test_class_purity():
    labels = [0, 0, 0, 7, 7, 2]
    np.testing.assert_allclose(class_purity(labels, [[0, 1, 2], [0, 3, 5], [3, 4, 0]]), [1, 1 / 3, 2 / 3])


@pytest.mark.parametrize(("labels", "count"), [([0, 1], 3), ([0, 0, 1, 2], 4), ([5, 5, 5], 2), ([0, 1, 2, 3], 5)])
def test_chance_purity_against_all_draws(labels, count):
    draws = itertools.product(labels, repeat=count)
    expected = np.mean([max(draw.count(label) for label in set(draw)) / count for draw in draws])
    np.testing.assert_allclose(chance_purity(labels, count), expected, rtol=1e-9)


def test_chance_purity_of_many_classes_and_draws():
    rng = np.random.default_rng(0)
    sampled = np.mean([np.bincount(rng.integers(0, 10, 100)).max() for _ in range(4000)]) / 100
    np.testing.assert_allclose(chance_purity(np.arange(10), 100), sampled, atol=2e-3)
    np.testing.assert_allclose(chance_purity(np.arange(1000), 1), 1)


@pytest.mark.parametrize(
    ("labels", "indices", "message"),
    [
        ([0, 1], [[0, 2]], r"indices span \[0, 2\]: expected those of 2 labels"),
        ([0, 1], [0, 1], r"indices of shape \(2,\)"),
        ([0.0, 1.0], [[0]], "labels of shape .*float64"),
        (["a"], [[0]], "expected integers"),
    ],
)
def test_bad_purity(labels, indices, message):
    with pytest.raises(ValueError, match=message):
        class_purity(labels, indices)


def test_late_layers_are_purer_than_the_first(digits, digits_net, fitted):
    """On average: on 8×8 pixels, a 5×5 window sees most of a digit already."""
    purity = np.array(
        [
            [
                class_purity(digits.labels, top_images(digits_net, variables, digits.images, layer).indices).mean()
                for layer in ("stage1", "stage3")
            ]
            for variables in (fitted("train", seed, 600) for seed in range(3))
        ]
    )
    first, last = purity.mean(0)
    assert last > first + 0.05
    assert purity.min() > chance_purity(digits.labels, 9)
