"""Variables without the compilation of initializers, which takes longer than the tests that need them."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import zoo
from zoo import catalog
from zoo.variables import variable_shapes


@pytest.fixture
def filled():
    """`filled(model, images)`: random parameters of a model without normalization, by its shapes alone."""

    def fill(model, images):
        generator = np.random.default_rng(0)
        shapes = jax.eval_shape(model.init, jax.random.key(0), images)
        scaled = lambda leaf: generator.standard_normal(leaf.shape) / np.sqrt(max(1, leaf.size // leaf.shape[-1]))  # noqa: E731
        return {"params": jax.tree.map(lambda leaf: jnp.asarray(scaled(leaf), jnp.float32), shapes["params"])}

    return fill


@pytest.fixture(scope="session")
def count_parameters():
    """`count_parameters(model, shape)` of a module or name, from the cached shapes of variables; a card costs more."""

    def count(model, shape=None):
        model = zoo.create(model) if isinstance(model, str) else model
        shapes = variable_shapes(model, shape or catalog.input_shape(model))
        return sum(math.prod(size) for path, size in shapes.items() if path[0] == "params")

    return count


@pytest.fixture
def normal():
    rng = np.random.default_rng(0)
    return lambda *shape: rng.standard_normal(shape).astype(np.float32)


@pytest.fixture
def draw():
    """`draw(model, *shape)`: random variables for images of a shape, those of normalizations near their start."""
    rng = np.random.default_rng(1)

    def variables(model, *shape):
        shapes = jax.eval_shape(model.init, jax.random.key(0), jax.ShapeDtypeStruct((1, *shape), jnp.float32))

        def leaf(path, struct):
            scale = np.sqrt(2 / np.prod(struct.shape[:-1])) if len(struct.shape) > 1 else 0.1
            start = 1.0 if path[-1].key in ("scale", "var") else 0.0
            return jnp.asarray(start + scale * np.clip(rng.standard_normal(struct.shape), -3, 3), struct.dtype)

        return jax.tree_util.tree_map_with_path(leaf, shapes)

    return variables


@pytest.fixture(scope="session")
def apply():
    """`apply(model, variables, images)`, compiled without optimization: that would take longer than the run."""

    @functools.partial(
        jax.jit,
        static_argnames=("model", "method"),
        compiler_options={"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True},
    )
    def run(model, variables, images, method="__call__"):
        return model.apply(variables, images, method=method)

    return run
