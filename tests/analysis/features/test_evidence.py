import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from analysis import taps
from analysis.features import evidence
from tests.studies import seeing_inside

KEY = jax.random.key(0)


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


def test_both_forms_are_compared_where_they_reach_the_level(small, variables, images):
    found = evidence.variation_at_equal_activation(
        small(), variables, images, "stage2", [1, 2], key=KEY, steps=20, rates=(0.01, 0.1)
    )
    means = np.asarray(taps.read(small(), variables, images, "stage2")).mean((1, 2))
    np.testing.assert_allclose(found["data"].level, means.max(0)[[1, 2]], rtol=1e-5)
    assert (found["highest"].level > found["data"].level).all()
    for one in found.values():
        assert (one.fourier > 0).all()
        assert (one.pixels > 0).all()


def test_a_form_is_given_the_rate_that_serves_it_best_where_it_first_reaches_the_level():
    # Two rates, three steps, two channels.
    activation = np.array([[[0, 0], [2, 0], [1, 0]], [[1, 0], [1, 0], [3, 0.5]]])
    climbs = evidence.Climbs(activation, np.array([[[9, 9], [5, 9], [1, 9]], [[9, 9], [9, 9], [4, 9]]]))
    np.testing.assert_array_equal(climbs.least_variation(np.array([2, 1])), [4, np.nan])
    np.testing.assert_array_equal(climbs.least_variation(np.array([1.5, 0.5])), [4, 9])
    np.testing.assert_array_equal(climbs.least_variation(np.array([2.5, 0.0])), [4, 9])


@pytest.mark.slow
def test_where_a_unit_likes_one_even_color_neither_form_varies():
    images, model = np.full((1, 4, 4, 1), 0.6, np.float32), nn.Conv(1, (1, 1))
    variables = {"params": {"kernel": jnp.ones((1, 1, 1, 1)), "bias": jnp.zeros(1)}}
    found = evidence.variation_at_equal_activation(model, variables, images, None, [0], key=KEY, steps=30)["data"]
    np.testing.assert_allclose([found.fourier, found.pixels], 0, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_on_trained_networks(seed, tmp_path):
    found = seeing_inside.study(seeing_inside.trained(tmp_path, seed, epochs=3), seeing_inside.Size())
    assert found["accuracy"] > 0.85
    for depth in found["inversion"].values():
        stem, first, second, third, head = (depth[layer]["detail"] for layer in seeing_inside.LAYERS)
        assert stem > first > second > max(third, head)
        assert stem > 0.9
        assert max(third, head) < 0.3
        assert depth["stem"]["pixel_error"] < depth["stage1"]["pixel_error"] < depth["stage3"]["pixel_error"]
    for beyond in found["maximised"].values():
        assert (seeing_inside.above(beyond) > 1).mean() >= 0.9
        assert np.median(seeing_inside.above(beyond)) > 1.2
    # Which form is smoother depends on the net and on the transforms: docs/seeing_inside.md has the figures.
    for levels in found["variation"].values():
        assert all(seeing_inside.rougher(one).size for one in levels.values())
