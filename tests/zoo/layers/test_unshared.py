import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from zoo.layers import UnsharedConv, convolution, parameter_count, unshared_convolution

SETTINGS = {"strides": (2, 1), "padding": ((1, 0), (0, 2)), "dilation": (1, 2)}


def test_definition(normal):
    x, kernel = normal(2, 6, 5, 3), normal(3, 3, 3, 3, 3, 2)
    y = unshared_convolution(jnp.asarray(x), jnp.asarray(kernel), **SETTINGS)
    padded = np.pad(x, ((0, 0), (1, 0), (0, 2), (0, 0))).astype(np.float64)
    for i, j in np.ndindex(3, 3):
        seen = padded[:, 2 * i : 2 * i + 3, j : j + 5 : 2]
        expected = np.einsum("nabc,abco->no", seen, kernel[i, j])
        np.testing.assert_allclose(y[:, i, j], expected, rtol=1e-5, atol=1e-5)


def test_equal_kernels_everywhere_make_it_a_convolution(normal):
    x, kernel = jnp.asarray(normal(2, 6, 5, 3)), jnp.asarray(normal(3, 3, 3, 2))
    shared = jnp.broadcast_to(kernel, (3, 3, *kernel.shape))
    plain = convolution(x, kernel, **SETTINGS)
    np.testing.assert_allclose(unshared_convolution(x, shared, **SETTINGS), plain, rtol=1e-5, atol=1e-5)


def test_gradients(normal):
    operands = jnp.asarray(normal(1, 3, 3, 2)), jnp.asarray(normal(2, 2, 2, 2, 2, 2))
    unshared = jax.jit(lambda x, k: unshared_convolution(x, k, padding="VALID"))
    check_grads(unshared, operands, order=1, modes=["rev"], atol=1e-2, rtol=1e-2)


def test_every_position_has_weights_and_a_bias_of_its_own():
    assert parameter_count(UnsharedConv(4, 3, padding="VALID"), (8, 7, 2)) == 6 * 5 * (3 * 3 * 2 + 1) * 4
    params = jax.eval_shape(UnsharedConv(4, (3,)).init, jax.random.key(0), jnp.ones((1, 8, 2)))["params"]
    assert params["kernel"].shape == (8, 3, 2, 4)


def test_weights_start_as_those_of_one_position():
    """Their variance is one over the inputs of one position, not over those of all."""
    kernel = UnsharedConv(4, 2, padding="VALID").init(jax.random.key(0), jnp.ones((1, 3, 3, 9)))["params"]["kernel"]
    np.testing.assert_allclose(kernel.std(), 1 / np.sqrt(2 * 2 * 9), rtol=0.1)


def test_bad_input_is_refused():
    x = jnp.ones((1, 6, 6, 3))
    with pytest.raises(ValueError, match=r"weights for \(5, 6\) positions, but there are \(6, 6\)"):
        unshared_convolution(x, jnp.ones((5, 6, 3, 3, 3, 2)))
    with pytest.raises(ValueError, match="expected"):
        unshared_convolution(x, jnp.ones((6, 6, 3, 3, 2, 2)))
    with pytest.raises(ValueError, match="spans 9 pixels"):
        UnsharedConv(4, 9, padding="VALID").init(jax.random.key(0), x)
