import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from analysis import taps
from analysis.visualize import evidence
from tests.studies import seeing_inside

KEY = jax.random.key(0)


def test_every_child_is_inverted_in_order(small, variables, images):
    found = evidence.inversion_by_depth(small(), variables, images[:2], steps=2, key=KEY)
    assert [*found] == ["stage1", "stage2", "head"]
    assert all(one.images.shape == (2, 6, 8, 2) for one in found.values())
    chosen = evidence.inversion_by_depth(small(), variables, images[:2], layers=["head"], steps=2, key=KEY)
    np.testing.assert_array_equal(chosen["head"].images, found["head"].images)


def test_data_are_searched_for_the_largest_activation(small, variables, images):
    found = evidence.beyond_data(small(), variables, images, "stage2", [3, 1], steps=60, key=KEY)
    means = np.asarray(taps.read(small(), variables, images, "stage2")).mean((1, 2))
    np.testing.assert_allclose(found.data, means.max(0)[[3, 1]], rtol=1e-5)
    assert (found.maximised > found.data).all()
    assert not found.silent.any()


class Threshold(nn.Module):
    """Two units that a pixel of 0.8 or of 0.3 wakes."""

    @nn.compact
    def __call__(self, images):
        return nn.relu(images - jnp.array([0.8, 0.3]).reshape(1, 1, 1, 2))


def test_channels_that_noise_leaves_silent_start_at_their_best_image():
    images = np.full((2, 4, 4, 2), 0.1, np.float32)
    images[1, 2, 2] = 0.9
    found = evidence.beyond_data(Threshold(), {}, images, None, [0, 1], steps=40, key=KEY)
    np.testing.assert_array_equal(found.silent, [True, False])
    np.testing.assert_allclose(found.data, [0.1 / 16, 0.6 / 16], rtol=1e-5)
    assert (found.maximised > found.data).all()


def test_both_forms_are_compared_where_they_reach_the_level(small, variables):
    found = evidence.variation_at_equal_activation(small(), variables, (6, 8, 2), "stage2", [1, 2], key=KEY, steps=20)
    assert np.isfinite(found.level).all()
    assert (found.fourier > 0).all()
    assert (found.pixels > 0).all()


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_on_trained_networks(seed, tmp_path):
    run = seeing_inside.trained(tmp_path, seed, epochs=3)
    found = seeing_inside.study(run, images=6, steps=150, channels=8)
    assert found.accuracy > 0.85
    for depth in (found.depth, found.prior):
        stem, first, second, third, head = (depth[layer]["detail"] for layer in seeing_inside.LAYERS)
        assert stem > first > second > max(third, head)
        assert stem > 0.95
        assert max(third, head) < 0.3
        assert depth["stem"]["pixel_error"] < depth["stage1"]["pixel_error"] < depth["stage3"]["pixel_error"]
    for beyond in (found.classes, found.channels):
        alive = beyond.data > 0
        assert (beyond.maximised > beyond.data)[alive].all()
    moved = found.variation.level > 0
    assert np.median((found.variation.fourier / found.variation.pixels)[moved]) < 1
