import numpy as np
import pytest

from train.batches import batches, grouped_order, number_of_batches, order
from train.datasets import Split

SPLIT = Split(np.linspace(0, 1, 10, dtype=np.float32).reshape(10, 1, 1, 1), np.arange(10, dtype=np.int32))


@pytest.mark.parametrize("batch_size", [1, 4, 5, 10, 16])
def test_every_image_counts_once_in_batches_of_one_shape(batch_size):
    found = list(batches(SPLIT, order(10, seed=0, epoch=0), batch_size))
    assert len(found) == number_of_batches(10, batch_size)
    assert {batch.images.shape for batch in found} == {(batch_size, 1, 1, 1)}
    assert {batch.targets.shape for batch in found} == {(batch_size,)}
    images, labels, weights = (np.concatenate(parts) for parts in zip(*(batch[:3] for batch in found), strict=True))
    assert sorted(labels[weights == 1]) == list(range(10))
    assert set(weights) <= {0.0, 1.0}
    assert weights.sum() == 10
    # Also what only fills a batch is a real image, with its own label.
    np.testing.assert_array_equal(images[:, 0, 0, 0], SPLIT.images[labels, 0, 0, 0])


def test_filling_takes_the_images_that_came_first():
    visits = order(10, seed=0, epoch=0)
    *_, last = batches(SPLIT, visits, 4)
    assert last.targets.tolist() == [*visits[8:], *visits[:2]]
    assert last.weights.tolist() == [1, 1, 0, 0]


def test_order_follows_from_seed_and_epoch_alone():
    orders = {tuple(order(50, seed, epoch)) for seed in range(3) for epoch in range(3)}
    assert len(orders) == 9
    assert all(sorted(one) == list(range(50)) for one in orders)
    np.testing.assert_array_equal(order(50, 2, 1), order(50, 2, 1))


def test_an_epoch_goes_on_where_it_stopped():
    visits = order(10, seed=3, epoch=1)
    whole, rest = list(batches(SPLIT, visits, 3)), list(batches(SPLIT, visits, 3, start=2))
    assert len(rest) == 2
    for one, other in zip(whole[2:], rest, strict=True):
        for left, right in zip(one, other, strict=True):
            np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize(("batch_size", "labels", "each"), [(16, 10, {4}), (16, 3, {5, 6}), (8, 2, {4}), (10, 10, {5})])
def test_grouped_batches_hold_several_images_of_a_few_labels(batch_size, labels, each):
    of = np.append(np.arange(61) % labels, 99)  # 99 has a single image, no pair
    visits = grouped_order(of, batch_size, per_label=4, seed=0, epoch=2)
    assert len(visits) == number_of_batches(62, batch_size) * batch_size
    for part in visits.reshape(-1, batch_size):
        names, counts = np.unique(of[part], return_counts=True)
        assert set(counts) <= each
        assert 99 not in names
        assert len(set(part)) == batch_size
    np.testing.assert_array_equal(visits, grouped_order(of, batch_size, 4, 0, 2))
    assert (visits != grouped_order(of, batch_size, 4, 0, 3)).any()
