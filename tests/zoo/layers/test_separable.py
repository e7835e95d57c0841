import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.layers import (
    Conv,
    DepthwiseConv,
    DepthwiseSeparableConv,
    SpatiallySeparableConv,
    parameter_count,
    separable_factors,
)

BINOMIAL = np.outer([1.0, 2, 1], [1, 2, 1])


def test_depthwise_filters_every_channel_alone(oracle, normal):
    x, kernel = normal(2, 5, 6, 3), normal(3, 3, 1, 6)
    layer = DepthwiseConv(3, strides=2, padding=1, multiplier=2, use_bias=False)
    y = layer.apply({"params": {"kernel": jnp.asarray(kernel)}}, jnp.asarray(x))
    for channel in range(6):
        alone = oracle(x[..., channel // 2, None], kernel[..., channel, None], (2, 2), ((1, 1), (1, 1)), (1, 1))
        np.testing.assert_allclose(y[..., channel, None], alone, rtol=1e-5, atol=1e-5)


def test_depthwise_separable_weights():
    """3×3, 128 → 256: 294,912 against 33,920; the ratio is 1/C_out + 1/K²."""
    shape = (32, 32, 128)
    full = parameter_count(Conv(256, 3, use_bias=False), shape)
    factored = parameter_count(DepthwiseSeparableConv(256, 3, use_bias=False), shape)
    assert (full, factored) == (294_912, 33_920)
    np.testing.assert_allclose(factored / full, 1 / 256 + 1 / 9)


def test_depthwise_separable_is_the_product_kernel(normal, oracle):
    x, depthwise, pointwise = normal(1, 6, 5, 3), normal(3, 3, 1, 3), normal(1, 1, 3, 4)
    layer = DepthwiseSeparableConv(4, 3, strides=2, padding=1, use_bias=False)
    variables = {"params": {"depthwise": {"kernel": depthwise}, "pointwise": {"kernel": pointwise}}}
    product = depthwise[:, :, 0, :, None] * pointwise[0]
    expected = oracle(x, product, (2, 2), ((1, 1), (1, 1)), (1, 1))
    np.testing.assert_allclose(layer.apply(variables, jnp.asarray(x)), expected, rtol=1e-5, atol=1e-5)


def test_binomial_kernel_is_a_column_times_a_row():
    factors = separable_factors(jnp.asarray(BINOMIAL, jnp.float32))
    assert int(factors.rank) == 1
    assert factors.vertical.size + factors.horizontal.size == 6
    assert float(factors.error) < 1e-6
    np.testing.assert_allclose(factors.vertical @ factors.horizontal, BINOMIAL, rtol=1e-5)


def test_spatially_separable_applies_the_product_kernel(oracle, normal):
    x = normal(1, 6, 7, 1)
    layer = SpatiallySeparableConv(1, 3, strides=(1, 2), use_bias=False)
    line = jnp.array([1.0, 2, 1])
    params = {"vertical": {"kernel": line.reshape(3, 1, 1, 1)}, "horizontal": {"kernel": line.reshape(1, 3, 1, 1)}}
    expected = oracle(x, BINOMIAL[:, :, None, None], (1, 2), ((1, 1), (1, 1)), (1, 1))
    np.testing.assert_allclose(layer.apply({"params": params}, jnp.asarray(x)), expected, rtol=1e-5, atol=1e-5)
    assert parameter_count(layer, (6, 7, 1)) == 6


def test_spatially_separable_mixes_channels_in_the_second_step():
    params = jax.eval_shape(SpatiallySeparableConv(8, 3).init, jax.random.key(0), jnp.ones((1, 9, 9, 5)))["params"]
    assert params["vertical"]["kernel"].shape == (3, 1, 1, 5)
    assert params["horizontal"]["kernel"].shape == (1, 3, 5, 8)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_factors_are_the_best_of_their_rank(rank, normal):
    kernel = normal(3, 4, 2, 3)
    factors = separable_factors(jnp.asarray(kernel), rank)
    rebuilt = np.einsum("hrio,rwio->hwio", factors.vertical, factors.horizontal)
    for i, o in np.ndindex(2, 3):
        values = np.linalg.svd(kernel[:, :, i, o].astype(np.float64), compute_uv=False)
        best = np.sqrt((values[rank:] ** 2).sum() / (values**2).sum())
        left = np.linalg.norm(kernel[:, :, i, o] - rebuilt[:, :, i, o]) / np.linalg.norm(kernel[:, :, i, o])
        np.testing.assert_allclose(left, best, atol=1e-5)
        np.testing.assert_allclose(factors.error[i, o], best, atol=1e-5)
    assert (np.asarray(factors.rank) == 3).all()


def test_half_precision_is_factored_in_single():
    assert separable_factors(jnp.ones((3, 3), jnp.bfloat16), np.int64(1)).vertical.dtype == jnp.float32


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="rank=1.5"):
        separable_factors(jnp.ones((3, 5)), 1.5)
    with pytest.raises(ValueError, match="from 1 to 3"):
        separable_factors(jnp.ones((3, 5)), 4)
    with pytest.raises(ValueError, match="expected"):
        separable_factors(jnp.ones(3))
    with pytest.raises(ValueError, match="multiplier=0"):
        DepthwiseConv(3, multiplier=0).init(jax.random.key(0), jnp.ones((1, 4, 4, 2)))
    with pytest.raises(ValueError, match="2 spatial axes"):
        SpatiallySeparableConv(4, (3, 3, 3)).init(jax.random.key(0), jnp.ones((1, 4, 4, 2)))
