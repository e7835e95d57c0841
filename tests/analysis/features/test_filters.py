import jax
import jax.numpy as jnp
import numpy as np
import pytest

from analysis import taps
from analysis.features.filters import filter_map


def test_at_its_own_layer_it_is_the_filters_activation(small, variables, images):
    activation = taps.read(small(), variables, jnp.asarray(images), "stage2")
    heat = filter_map(small(), variables, images, "stage2", [0, 1, 2, 3, 4], resize=None)
    expected = np.stack([activation[index, ..., index] for index in range(5)]) / 12
    np.testing.assert_allclose(heat, expected, rtol=1e-5)


def test_from_an_earlier_layer_it_is_grad_cam_of_the_filter(small, variables, images):
    heat = filter_map(small(), variables, images, "stage2", 3, source="stage1")

    def score(delta):
        _, seen = taps.run(
            small(), variables, jnp.asarray(images), ["stage2"], {"stage1": lambda output: output + delta}
        )
        return seen["stage2"][..., 3].mean((1, 2)).sum()

    activation = taps.read(small(), variables, jnp.asarray(images), "stage1")
    weights = jax.grad(score)(jnp.zeros_like(activation)).mean((1, 2), keepdims=True)
    np.testing.assert_allclose(heat, (weights * activation).sum(-1), atol=1e-6)
    assert np.ptp(heat) > 0


def test_others_do_not_matter(small, variables, images):
    whole = filter_map(small(), variables, images, "stage2", 1, "stage1", batch_size=2)
    alone = filter_map(small(), variables, images[:1], "stage2", 1, "stage1", batch_size=2)
    np.testing.assert_array_equal(whole[:1], alone)
    halved = filter_map(small(dtype=jnp.bfloat16), variables, images, "stage2", 1, "stage1")
    assert halved.dtype == jnp.float32


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"channels": 5}, "no channel 5 among 5"),
        ({"layer": "stage9"}, "no layer 'stage9'"),
        ({"layer": "head", "channels": 0}, "has no spatial extent"),
        ({"layer": "stage1", "source": "stage2"}, "source 'stage2' is computed after layer 'stage1'"),
        ({"resize": "cubic"}, "resize='cubic'"),
        ({"channels": [1, 2]}, r"channels of shape \(2,\) for 5 images"),
    ],
)
def test_bad_input_is_refused(small, variables, images, changes, message):
    with pytest.raises(ValueError, match=message):
        filter_map(small(), variables, images, **{"layer": "stage2", "channels": 1} | changes)
