"""Variables made initializer by initializer are those of `model.init`, to the bit, with few programs compiled."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import zoo
from zoo import initializers
from zoo.catalog import CATALOG
from zoo.layers import GroupNorm
from zoo.variables import variable_structs

FAMILIES = {entry.build: name for name, entry in reversed(CATALOG.items())}


def assert_equal(variables, expected, rtol=0.0):
    assert jax.tree.structure(variables) == jax.tree.structure(expected)
    for leaf, reference in zip(jax.tree.leaves(variables), jax.tree.leaves(expected), strict=True):
        assert leaf.dtype == reference.dtype
        np.testing.assert_allclose(leaf, reference, rtol, atol=0)


def reference(model, key, shape):
    return jax.jit(lambda key: initializers.plain(model, key, shape, jnp.float32))(key)


@pytest.mark.optimized
@pytest.mark.parametrize(
    ("name", "fields", "key"),
    [("lenet5", {}, jax.random.PRNGKey(7)), ("gap_net", {"norm": GroupNorm(4)}, jax.random.key(3))],
    ids=["lenet5", "gap_net"],
)
def test_variables_are_those_of_flax_to_the_bit(name, fields, key):
    model, shape = zoo.create(name, **fields), CATALOG[name].input_shape
    assert_equal(zoo.init(model, key, shape), reference(model, key, shape))


@pytest.mark.slow
@pytest.mark.optimized
@pytest.mark.parametrize("name", sorted(FAMILIES.values()))
def test_variables_of_every_family_are_those_of_flax_to_the_bit(name):
    model, shape = zoo.create(name), CATALOG[name].input_shape
    key = jax.random.key(3)
    assert_equal(zoo.init(model, key, shape), reference(model, key, shape))


def test_other_generators_and_traced_keys_are_those_of_flax():
    model, shape = zoo.create("lenet5"), (32, 32, 1)
    key = jax.random.key(0, impl="rbg")
    # Tests compile without optimizations, so that a product with a constant is rounded at another place.
    assert_equal(zoo.init(model, key, shape), reference(model, key, shape), rtol=1e-6)
    key = jax.random.key(1)
    assert_equal(jax.jit(lambda key: zoo.init(model, key, shape))(key), zoo.init(model, key, shape), rtol=1e-6)


def test_programs_are_compiled_once_for_all_networks():
    zoo.init(zoo.create("lenet5"), jax.random.key(0), (32, 32, 1))
    compiled = []

    def note(event, seconds, **_):
        compiled.append(event)

    jax.monitoring.register_event_duration_secs_listener(note)
    try:
        zoo.init(zoo.create("resnet20"), jax.random.key(0), (32, 32, 3))
    finally:
        jax.monitoring.unregister_event_duration_listener(note)
    assert compiled.count("/jax/core/compile/backend_compile_duration") == 0


def test_variables_belong_to_the_caller():
    """A donated leaf must not be one that another call has handed out."""
    model, key = zoo.create("lenet5"), jax.random.key(0)
    first, second = (zoo.init(model, key, (32, 32, 1)) for _ in range(2))
    jax.jit(lambda leaves: jax.tree.map(lambda leaf: leaf + 1, leaves), donate_argnums=0)(first)
    assert not any(leaf.is_deleted() for leaf in jax.tree.leaves(second))


def test_shapes_alone_need_no_numbers():
    model, key = zoo.create("lenet5"), jax.random.key(0)
    shapes = jax.eval_shape(lambda: zoo.init(model, key, (32, 32, 1)))
    assert jax.tree.map(jnp.shape, shapes) == jax.tree.map(jnp.shape, variable_structs(model, (32, 32, 1)))
