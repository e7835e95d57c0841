import jax
import numpy as np
import pytest

from train.augment import Colours, chain, colour
from train.batches import Batch

RANDOM = np.random.default_rng(2)
IMAGES = RANDOM.uniform(0.3, 0.7, (40, 8, 8, 3)).astype(np.float32)
COLOURS = Colours.of(IMAGES)


def changed(name, images=IMAGES, colours=COLOURS):
    batch = Batch(images, np.zeros(len(images), np.int32), np.ones(len(images), np.float32))
    return np.asarray(jax.jit(chain([name], "none", colours))(jax.random.key(0), batch).images)


def test_components_are_eigenvectors_times_eigenvalues_of_the_covariance_in_unit_range():
    mixing = np.array([[1, 0.5, 0], [0, 1, 0.2], [0, 0, 1]])
    images = np.clip(0.5 + 0.1 * RANDOM.normal(size=(4, 16, 16, 3)) @ mixing, 0, 1).astype(np.float32)
    colours = Colours.of(images)
    covariance = np.cov(images.reshape(-1, 3).astype(np.float64), rowvar=False, bias=True)
    lengths = np.linalg.norm(colours.components, axis=1)
    np.testing.assert_allclose(covariance @ colours.components.T, colours.components.T * lengths, atol=1e-7)
    np.testing.assert_allclose(lengths.sum(), np.trace(covariance), rtol=1e-5)
    np.testing.assert_allclose(colours.mean, images.mean((0, 1, 2)), rtol=1e-5)


def test_pca_adds_one_colour_to_an_image_of_the_stated_size():
    components = 0.3 * np.eye(3, dtype=np.float32)
    moves = changed("pca", colours=COLOURS._replace(components=components)) - IMAGES
    np.testing.assert_allclose(moves, np.broadcast_to(moves[:, :1, :1], moves.shape), atol=1e-6)
    multiples = moves[:, 0, 0] / 0.3
    assert 0.08 < multiples.std() < 0.12  # 120 draws of deviation 0.1


def test_cutout_leaves_all_but_one_square_of_half_the_side():
    after = changed("cutout")
    cut = (after != IMAGES).any(-1)
    np.testing.assert_allclose(after[cut], np.broadcast_to(COLOURS.mean, after[cut].shape), atol=1e-6)
    for mask in cut:
        rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
        assert mask[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1].all()
        assert 2 <= len(rows) <= 4
        assert 2 <= len(columns) <= 4
    assert (cut.sum((1, 2)) == 16).any()


def test_jitter_changes_brightness_contrast_and_saturation_within_its_limits():
    gray = np.full((200, 4, 4, 3), 0.5, np.float32)
    levels = changed("colour", gray)[:, 0, 0, 0]
    assert 0.3 - 1e-6 <= levels.min() < 0.35
    assert 0.65 < levels.max() <= 0.7 + 1e-6
    pattern = gray + np.where(np.indices((4, 4)).sum(0) % 2, 0.1, -0.1).astype(np.float32)[None, ..., None]
    ratio = changed("colour", pattern)
    ratio = (ratio.max((1, 2, 3)) - ratio.min((1, 2, 3))) / ratio.mean((1, 2, 3)) / 0.4
    assert 0.58 < ratio.min() < 0.7
    assert 1.3 < ratio.max() < 1.42
    one = IMAGES[..., :1]
    assert (changed("colour", one) != one).any()  # gray images have brightness and contrast


def test_noise_has_its_deviation():
    noise = changed("noise") - IMAGES
    assert noise.std() == pytest.approx(colour.NOISE, rel=0.03)
    assert abs(noise.mean()) < 0.002
