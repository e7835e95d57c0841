import jax
import jax.numpy as jnp
import numpy as np
import pytest

from train.augment import MOTIONS, chain, geometry
from train.batches import Batch

IMAGES = np.random.default_rng(1).uniform(size=(64, 8, 16, 2)).astype(np.float32)
BATCH = Batch(IMAGES, np.arange(64, dtype=np.int32), np.ones(64, np.float32))
EXACT = ("shift", "flip")


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
    after = np.asarray(jax.jit(chain(["shift"]))(jax.random.key(0), BATCH).images)
    moves = [(rows, columns) for rows in range(-1, 2) for columns in range(-2, 3)]
    drawn = set()
    for old, new in zip(IMAGES, after, strict=True):
        fits = [move for move in moves if np.array_equal(shifted(old, *move), new)]
        assert len(fits) == 1
        drawn.update(fits)
    assert len(drawn) > 12  # 64 draws of 15 moves miss more than two of them once in 10,000 keys
    assert {row for row, _ in drawn} == {-1, 0, 1}
    assert {column for _, column in drawn} == {-2, -1, 0, 1, 2}


def test_flip_mirrors_about_half():
    after = np.asarray(chain(["flip"])(jax.random.key(0), BATCH).images)
    mirrored = [np.array_equal(new, old[:, ::-1]) for old, new in zip(IMAGES, after, strict=True)]
    same = [np.array_equal(new, old) for old, new in zip(IMAGES, after, strict=True)]
    assert all(a != b for a, b in zip(mirrored, same, strict=True))
    assert 16 < sum(mirrored) < 48


def by_hand(image, matrix):
    """Bilinear interpolation in float64, one pixel after the other, 0 outside."""
    height, width, channels = image.shape
    padded = np.pad(image.astype(np.float64), ((1, 2), (1, 2), (0, 0)))
    new = np.zeros((height, width, channels))
    for row in range(height):
        for column in range(width):
            y, x = np.asarray(matrix, np.float64) @ [row, column, 1]
            if not (-1 < y < height and -1 < x < width):
                continue
            top, left = int(np.floor(y)), int(np.floor(x))
            a, b = y - top, x - left
            block = padded[top + 1 : top + 3, left + 1 : left + 3]
            new[row, column] = np.einsum("i,j,ijc->c", [1 - a, a], [1 - b, b], block)
    return new


@pytest.mark.parametrize("name", MOTIONS)
def test_a_moved_image_is_the_old_one_at_the_places_of_the_matrix(name):
    motion = MOTIONS[name]
    matrices = motion.draw(jax.random.key(3), 6, (8, 16))
    after = motion.sample(IMAGES[:6], matrices, False)
    for image, matrix, new in zip(IMAGES, matrices, after, strict=False):
        np.testing.assert_allclose(new, by_hand(image, matrix), atol=1e-4)


def discs(place, radius):
    """Discs (N, 32, 32) around (N, 2) places."""
    rows, columns = np.meshgrid(*2 * [(np.arange(32) + 0.5) / 32], indexing="ij")
    distance = np.hypot(rows - place[:, 0, None, None], columns - place[:, 1, None, None])
    return np.clip(0.5 - (distance - radius) * 32, 0, 1).astype(np.float32)


PLACES = np.random.default_rng(0).uniform(0.35, 0.65, (16, 2)).astype(np.float32)
DISCS = discs(PLACES, 0.15)


def moved(name, targets, kind):
    batch = Batch(DISCS[..., None], targets, np.ones(16, np.float32))
    return jax.tree.map(np.asarray, jax.jit(chain([name], kind))(jax.random.key(5), batch))


@pytest.mark.parametrize("name", MOTIONS)
def test_the_mask_of_the_moved_image_is_the_moved_mask(name):
    after = moved(name, (DISCS > 0.5).astype(np.int32), "mask")
    visible = after.images[..., 0] > 0.5
    assert after.targets.dtype == np.int32
    if name in EXACT:
        np.testing.assert_array_equal(after.targets, visible)
        return
    # They may differ where the edge of a disc runs through a pixel.
    differing = after.targets != visible
    assert (abs(after.images[..., 0][differing] - 0.5) < 0.5).all()
    assert differing.sum() < 0.1 * after.targets.sum()


@pytest.mark.parametrize("name", MOTIONS)
def test_the_position_of_the_moved_object_is_the_moved_position(name):
    after = moved(name, PLACES, "position")
    rows, columns = np.meshgrid(*2 * [(np.arange(32) + 0.5) / 32], indexing="ij")
    whole = np.array(
        [not (np.r_[image[[0, -1]].ravel(), image[:, [0, -1]].ravel()] > 0).any() for image in after.images]
    )
    assert whole.sum() >= 4
    for image, place in zip(after.images[whole, ..., 0], after.targets[whole], strict=True):
        centre = np.array([(image * rows).sum(), (image * columns).sum()]) / image.sum()
        np.testing.assert_allclose(place, centre, atol=0.1 / 32)


def test_motions_stay_within_their_limits():
    sides = (32, 48)
    for name, low, high in (("rotate", 1, 1), ("scale", 1 / geometry.ZOOM, geometry.ZOOM), ("crop", 0.4, 1)):
        matrices = np.asarray(MOTIONS[name].draw(jax.random.key(0), 500, sides))
        stretch = np.linalg.norm(matrices[:, :, :2], axis=1)
        assert low - 1e-5 <= stretch.min() <= stretch.max() <= high + 1e-5
    corners = np.array([[-0.5, -0.5, 1], [31.5, 47.5, 1]]).T
    old = np.asarray(MOTIONS["crop"].draw(jax.random.key(0), 500, sides)) @ corners
    assert old.min() >= -0.501
    assert (old[:, :, 1] <= np.array([31.501, 47.501])).all()
    area = np.prod(old[:, :, 1] - old[:, :, 0], axis=1) / (32 * 48)
    assert 0.24 < area.min() < 0.4
    assert 0.8 < area.max() <= 1.0001


def test_bool_masks_stay_bool():
    for name in MOTIONS:
        matrices = MOTIONS[name].draw(jax.random.key(0), 16, (32, 32))
        assert MOTIONS[name].sample(jnp.asarray(DISCS > 0.5), matrices, True).dtype == jnp.bool_
