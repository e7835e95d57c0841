import jax
import jax.numpy as jnp
import numpy as np
import pytest

from analysis import execution, taps
from analysis.network import Network


def test_it_is_a_pytree_whose_model_is_static(small, variables, images):
    network = Network(small(), variables, jax.tree_util.Partial(jnp.multiply, jnp.float32(0.5)))
    leaves, structure = jax.tree.flatten(network)
    assert len(leaves) == len(jax.tree.leaves(variables)) + 1, "the variables, and what the preprocessing holds"
    again = jax.tree.unflatten(structure, leaves)
    np.testing.assert_array_equal(again.logits_fn(images), network.logits_fn(images))
    assert jax.tree.structure(Network(small(), variables)) == jax.tree.structure(Network(small(), variables))
    assert jax.tree.structure(Network(small(), variables)) != jax.tree.structure(
        Network(small(jnp.bfloat16), variables)
    )


def test_equal_networks_compile_once(small, variables, images):
    traces = []

    @jax.jit
    def read(network, images):
        traces.append(1)
        return network.read(images, "stage1")

    first = read(Network(small(), variables), images)
    second = read(Network(small(), jax.tree.map(lambda leaf: 2 * leaf, variables)), images)
    assert len(traces) == 1
    np.testing.assert_allclose(second, 2 * first, rtol=1e-6)
    one, other = (Network(small(), variables).neurons("stage1", (0, 1)) for _ in range(2))
    assert jax.tree.structure(one) == jax.tree.structure(other)
    assert jax.tree.structure(one) != jax.tree.structure(Network(small(), variables).neurons("stage1", (1, 0)))


def test_the_preprocessing_stands_before_the_model(small, variables, images):
    network = Network(small(), variables, lambda images: images[:, ::2, ::2])
    large = jnp.asarray(images.repeat(2, 1).repeat(2, 2))
    np.testing.assert_array_equal(network.inputs(large), images)
    np.testing.assert_array_equal(network.read(large, "stage1"), taps.read(small(), variables, images, "stage1"))
    assert network.input_form((12, 16, 2)).shape == (1, 6, 8, 2)
    assert network.layers(large)["stage1"].shape == (5, 6, 8, 4)


def test_a_gradient_in_a_layer(small, variables, images):
    network = Network(small(), variables)
    gradient, activation = network.gradient(images, "head", lambda logits, _: (logits**2).sum())
    np.testing.assert_allclose(gradient, 2 * activation, rtol=1e-6)


def test_a_preprocessing_that_is_no_function_is_refused(small, variables):
    with pytest.raises(ValueError, match="3 is not callable: expected a function"):
        Network(small(), variables, 3)


def test_static_values_have_no_leaves():
    assert jax.tree.leaves(execution.Static((1, 2))) == []
