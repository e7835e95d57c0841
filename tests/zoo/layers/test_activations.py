import functools

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp

from zoo.layers.activations import gelu


def test_values_and_derivatives_of_every_kind_are_those_of_flax():
    x, tangent = jnp.linspace(-6, 6, 49) + 0.01, jnp.cos(jnp.arange(49.0))

    def all_kinds(act):
        gradient = jax.grad(lambda x: (act(x) ** 2).sum())
        return {
            "value": act(x),
            "reverse": gradient(x),
            "forward": jax.jvp(act, (x,), (tangent,))[1],
            "forward over reverse": jax.jvp(gradient, (x,), (tangent,))[1],
            "reverse over reverse": jax.grad(lambda x: (gradient(x) * tangent).sum())(x),
            "mapped": jax.vmap(jax.grad(act))(x),
        }

    expected = all_kinds(functools.partial(nn.gelu, approximate=False))
    chex.assert_trees_all_close(all_kinds(gelu), expected, rtol=1e-5, atol=5e-6)


def test_reverse_mode_keeps_one_array():
    x = jnp.ones((3, 5))
    kept = jax.tree.leaves(jax.vjp(gelu, x)[1])
    assert [leaf.shape for leaf in kept if leaf.size > 1] == [x.shape]


def test_half_precision_stays():
    y, pull = jax.vjp(gelu, jnp.ones(3, jnp.bfloat16))
    assert y.dtype == pull(y)[0].dtype == jnp.bfloat16
