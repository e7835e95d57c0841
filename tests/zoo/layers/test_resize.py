import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from zoo.layers.resize import pad_to_multiple, resize


@pytest.mark.parametrize("sizes", [(12, 15), (7, 5), (3, 2), (9, 9), (1, 1)])
@pytest.mark.parametrize("method", ["bilinear", "nearest"])
def test_every_pixel_is_read_where_its_centre_falls(normal, sizes, method):
    x = normal(2, 6, 5, 2)
    y = np.asarray(resize(jnp.asarray(x), sizes, method))
    assert y.shape == (2, *sizes, 2)
    for i, j in np.ndindex(*sizes):
        if method == "nearest":
            expected = x[:, int(np.floor(i * 6 / sizes[0])), int(np.floor(j * 5 / sizes[1]))]
        else:
            row, column = (
                np.clip((k + 0.5) * n / m - 0.5, 0, n - 1) for k, n, m in zip((i, j), (6, 5), sizes, strict=True)
            )
            weights = np.outer(
                np.maximum(0, 1 - abs(np.arange(6) - row)), np.maximum(0, 1 - abs(np.arange(5) - column))
            )
            expected = np.einsum("hw,nhwc->nc", weights, x)
        np.testing.assert_allclose(y[:, i, j], expected, rtol=1e-5, atol=1e-6)


def test_upsampling_equals_the_framework_s_where_that_does_not_blur(normal):
    x = jnp.asarray(normal(1, 5, 4, 3))
    np.testing.assert_allclose(resize(x, (13, 8)), jax.image.resize(x, (1, 13, 8, 3), "bilinear"), rtol=1e-5, atol=1e-6)


def test_gradients_in_both_modes(normal):
    x = jnp.asarray(normal(1, 3, 4, 1))
    check_grads(lambda x: resize(x, (5, 6)), (x,), order=1, modes=["fwd", "rev"], rtol=1e-2)


def test_types_are_kept_and_unknown_methods_refused():
    assert resize(jnp.ones((1, 2, 2, 1), jnp.bfloat16), 3).dtype == jnp.bfloat16
    with pytest.raises(ValueError, match="'cubic' is unknown"):
        resize(jnp.ones((1, 2, 2, 1)), 3, "cubic")
    with pytest.raises(ValueError, match="sizes"):
        resize(jnp.ones((1, 2, 2, 1)), (0, 3))


def test_padding_is_below_and_on_the_right():
    x = pad_to_multiple(jnp.ones((1, 3, 4, 1)), 4)
    assert x[0, :, :, 0].tolist() == [[1] * 4] * 3 + [[0] * 4]
