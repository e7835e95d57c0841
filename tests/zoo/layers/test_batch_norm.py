import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from zoo.layers.batch_norm import BatchNormalization, normalize


@pytest.fixture(scope="module")
def twins():
    """Flax's layer and ours as functions of (parameters, input), and what to call them with."""
    x = 2 * jax.random.normal(jax.random.key(0), (4, 5, 3, 6)) + 1.5
    weight = jax.random.normal(jax.random.key(1), x.shape)
    flax, ours = (build(use_running_average=False, momentum=0.9) for build in (nn.BatchNorm, BatchNormalization))
    variables = flax.init(jax.random.key(2), x)
    assert jax.tree.structure(ours.init(jax.random.key(2), x)) == jax.tree.structure(variables)
    params = {"scale": jnp.linspace(0.5, 2, 6), "bias": jnp.linspace(-1, 1, 6)}

    def loss(module):
        def run(params, x):
            y, updates = module.apply({**variables, "params": params}, x, mutable=["batch_stats"])
            return (jnp.tanh(y) * weight).sum() + (updates["batch_stats"]["var"] ** 2).sum(), (y, updates)

        return run

    return jax.jit(loss(flax)), jax.jit(loss(ours)), params, x


def test_numbers_and_running_averages_are_those_of_flax(twins):
    flax, ours, params, x = twins
    chex.assert_trees_all_close(ours(params, x), flax(params, x), rtol=1e-5, atol=1e-6)


def test_derivatives_of_every_kind_are_those_of_flax(twins):
    flax, ours, params, x = twins
    tangent = jnp.cos(x)

    def all_kinds(loss):
        value = lambda params, x: loss(params, x)[0]  # noqa: E731
        gradient = jax.grad(value, argnums=1)
        return {
            "reverse": jax.grad(value, argnums=(0, 1))(params, x),
            "forward": jax.jvp(lambda x: value(params, x), (x,), (tangent,))[1],
            "forward over reverse": jax.jvp(lambda x: gradient(params, x), (x,), (tangent,))[1],
            "reverse over reverse": jax.grad(lambda x: (gradient(params, x) * tangent).sum())(x),
        }

    chex.assert_trees_all_close(all_kinds(ours), all_kinds(flax), rtol=1e-4, atol=1e-4)


def test_derivatives_by_differences(normal):
    x, scale, bias = (jnp.asarray(normal(*shape)) for shape in ((3, 4, 2), (2,), (2,)))
    check_grads(lambda *arguments: normalize(*arguments, 1e-3), (x, scale, bias), 2, atol=1e-2, rtol=1e-2)


def test_a_step_of_training_keeps_one_array_of_the_size_of_the_input(twins):
    *_, x = twins
    kept = jax.tree.leaves(jax.vjp(lambda x: normalize(x, jnp.ones(6), jnp.zeros(6), 1e-5), x)[1])
    assert [leaf.shape for leaf in kept if leaf.size >= x.size] == [x.shape]


def test_half_precision_is_computed_in_single(normal):
    x = jnp.asarray(normal(4, 3, 2), jnp.bfloat16)
    y, updates = BatchNormalization(use_running_average=False, dtype=jnp.bfloat16).init_with_output(
        jax.random.key(0), x
    )
    assert y.dtype == jnp.bfloat16
    assert {leaf.dtype for leaf in jax.tree.leaves(updates)} == {jnp.dtype("float32")}


def test_a_constant_channel_is_the_bias():
    y, _, variance = normalize(jnp.full((2, 3, 1), 7.0), jnp.ones(1), jnp.full(1, 0.25), 1e-5)
    assert y.ravel().tolist() == [0.25] * 6
    assert variance.tolist() == [0.0]


@pytest.mark.parametrize(("mean", "deviation"), [(1000.0, 0.1), (-30_000.0, 3.0), (0.0, 1.0), (5.0, 1e-3)])
def test_the_variance_does_not_cancel_beside_a_large_mean(mean, deviation):
    """E[x²] − E[x]² of a thousand and a tenth loses all its digits in float32."""
    x = (mean + deviation * np.random.default_rng(0).standard_normal((16, 8, 8, 4))).astype(np.float32)
    exact = x.astype(np.float64)
    y, average, variance = normalize(x, jnp.ones(4), jnp.zeros(4), 1e-8)
    np.testing.assert_allclose(average, exact.mean((0, 1, 2)), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(variance, exact.var((0, 1, 2)), rtol=2e-3)
    expected = (exact - exact.mean((0, 1, 2))) / np.sqrt(exact.var((0, 1, 2)) + 1e-8)
    np.testing.assert_allclose(y, expected, atol=0.015)
