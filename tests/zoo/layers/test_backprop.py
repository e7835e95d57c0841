import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.layers import conv_gradients, convolution


@pytest.mark.parametrize(
    ("size", "kernel_size", "settings"),
    [
        ((6, 5), (3, 3), {}),
        ((8, 7), (3, 2), {"strides": (2, 3), "padding": ((1, 0), (2, 1))}),
        ((9, 9), (3, 3), {"padding": "VALID", "dilation": 2}),
        ((8, 9), (2, 3), {"strides": 2, "padding": 1, "dilation": (3, 2)}),
        ((7,), (3,), {"strides": 2, "padding": "VALID"}),
    ],
)
def test_equal_to_automatic_differentiation(size, kernel_size, settings, normal):
    x, kernel = jnp.asarray(normal(2, *size, 3)), jnp.asarray(normal(*kernel_size, 3, 4))
    bias = jnp.zeros(4)
    shaped = lambda b: b.reshape((1,) * (x.ndim - 1) + (4,))  # noqa: E731
    y, pull = jax.vjp(lambda x, k, b: convolution(x, k, **settings) + shaped(b), x, kernel, bias)
    cotangent = jnp.asarray(normal(*y.shape))
    ours = jax.jit(lambda *operands: conv_gradients(*operands, **settings))(x, kernel, cotangent)
    for mine, automatic in zip(ours, pull(cotangent), strict=True):
        np.testing.assert_allclose(mine, automatic, rtol=1e-4, atol=1e-4)


def test_kernel_gradient_by_definition(normal):
    x, cotangent = normal(2, 5, 5, 2), normal(2, 3, 3, 3)
    ours = conv_gradients(jnp.asarray(x), jnp.asarray(normal(3, 3, 2, 3)), jnp.asarray(cotangent), padding="VALID")
    for a, b in np.ndindex(3, 3):
        seen = x[:, a : a + 3, b : b + 3].astype(np.float64)
        np.testing.assert_allclose(ours.kernel[a, b], np.einsum("nijc,nijo->co", seen, cotangent), rtol=1e-4, atol=1e-4)


def test_pixels_that_the_stride_skips_have_no_gradient(normal):
    x = jnp.asarray(normal(1, 6, 6, 1))
    ours = conv_gradients(x, jnp.ones((2, 2, 1, 1)), jnp.ones((1, 2, 2, 1)), strides=3, padding="VALID")
    expected = np.ones((6, 6))
    expected[2::3] = 0
    expected[:, 2::3] = 0
    np.testing.assert_array_equal(ours.x[0, :, :, 0], expected)


def test_bad_input_is_refused():
    x, kernel = jnp.ones((1, 5, 5, 2)), jnp.ones((3, 3, 2, 4))
    with pytest.raises(ValueError, match=r"cotangent of shape \(1, 4, 5, 4\): expected \(1, 5, 5, 4\)"):
        conv_gradients(x, kernel, jnp.ones((1, 4, 5, 4)))
    with pytest.raises(ValueError, match="expected"):
        conv_gradients(x, jnp.ones((3, 3, 1, 4)), jnp.ones((1, 5, 5, 4)))
