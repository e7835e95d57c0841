import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from zoo.layers import LocalResponseNorm


@pytest.mark.parametrize("n", [5, 4, 1])
def test_local_response_normalization_by_definition(n, normal):
    x = 30 * normal(2, 3, 3, 7)
    y = LocalResponseNorm(n=n).apply({}, jnp.asarray(x))
    for channel in range(7):
        near = x[..., max(0, channel - n // 2) : channel + (n - 1) // 2 + 1].astype(np.float64)
        divisor = (2.0 + 1e-4 * (near**2).sum(-1)) ** 0.75
        np.testing.assert_allclose(y[..., channel], x[..., channel] / divisor, rtol=1e-5)


def test_strong_neighbours_inhibit():
    alone = jnp.zeros((1, 1, 1, 9)).at[..., 4].set(1.0)
    crowded = alone.at[..., 5].set(500.0)
    far = alone.at[..., 8].set(500.0)
    respond = lambda x: float(LocalResponseNorm().apply({}, x)[..., 4].item())  # noqa: E731
    assert respond(crowded) < 0.5 * respond(alone)
    assert respond(far) == respond(alone)


def test_gradients(normal):
    x = jnp.asarray(normal(1, 2, 2, 6))  # a strong coupling on small numbers, which differences resolve
    check_grads(
        jax.jit(lambda x: LocalResponseNorm(alpha=2.0).apply({}, x)), (x,), 1, modes=["rev"], atol=1e-2, rtol=1e-2
    )


def test_a_window_without_channels_is_refused():
    with pytest.raises(ValueError, match="n=0"):
        LocalResponseNorm(n=0).apply({}, jnp.ones((1, 2, 2, 4)))


@pytest.mark.parametrize("dtype", [jnp.uint8, jnp.int32, bool])
def test_local_response_norm_refuses_integers(dtype):
    with pytest.raises(ValueError, match="expected floats"):
        LocalResponseNorm().apply({}, jnp.ones((1, 2, 2, 3), dtype))
