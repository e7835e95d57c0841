import jax
import numpy as np
import pytest

from train.augment import AUGMENTATIONS, chain, flip, shift

IMAGES = jax.random.uniform(jax.random.key(1), (64, 8, 16, 2))


def shifted(image, rows, columns):
    """The image moved down and right, black where nothing moves in."""
    moved = np.zeros_like(image)
    height, width, _ = image.shape
    for row in range(height):
        for column in range(width):
            if 0 <= row - rows < height and 0 <= column - columns < width:
                moved[row, column] = image[row - rows, column - columns]
    return moved


def test_shift_moves_each_image_by_at_most_an_eighth_of_each_side():
    images, found = np.asarray(IMAGES), np.asarray(jax.jit(shift)(jax.random.key(0), IMAGES))
    moves = [(rows, columns) for rows in range(-1, 2) for columns in range(-2, 3)]
    seen = set()
    for before, after in zip(images, found, strict=True):
        fits = [move for move in moves if np.array_equal(shifted(before, *move), after)]
        assert len(fits) == 1
        seen.update(fits)
    assert len(seen) > 12  # 64 draws of 15 moves miss more than two of them once in 10,000 keys
    assert {row for row, _ in seen} == {-1, 0, 1}
    assert {column for _, column in seen} == {-2, -1, 0, 1, 2}


def test_flip_mirrors_about_half():
    images, found = np.asarray(IMAGES), np.asarray(flip(jax.random.key(0), IMAGES))
    mirrored = [np.array_equal(after, before[:, ::-1]) for before, after in zip(images, found, strict=True)]
    same = [np.array_equal(after, before) for before, after in zip(images, found, strict=True)]
    assert all(a != b for a, b in zip(mirrored, same, strict=True))
    assert 16 < sum(mirrored) < 48


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_another_key_gives_another_result_and_the_same_key_the_same(name):
    augment = AUGMENTATIONS[name]
    first, again, other = (augment(jax.random.key(seed), IMAGES) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (np.asarray(first) != np.asarray(other)).any()


def test_a_chain_applies_all_in_order_with_keys_of_their_own():
    key = jax.random.key(0)
    expected = flip(jax.random.fold_in(key, 1), shift(jax.random.fold_in(key, 0), IMAGES))
    np.testing.assert_array_equal(chain(["shift", "flip"])(key, IMAGES), expected)
    np.testing.assert_array_equal(chain([])(key, IMAGES), IMAGES)
