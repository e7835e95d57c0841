"""Variables without the compilation of initializers, which takes longer than the tests that need them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest


@pytest.fixture
def filled():
    """`filled(model, images)`: random parameters of a model without normalization, by its shapes alone."""

    def fill(model, images):
        generator = np.random.default_rng(0)
        shapes = jax.eval_shape(model.init, jax.random.key(0), images)
        scaled = lambda leaf: generator.standard_normal(leaf.shape) / np.sqrt(max(1, leaf.size // leaf.shape[-1]))  # noqa: E731
        return {"params": jax.tree.map(lambda leaf: jnp.asarray(scaled(leaf), jnp.float32), shapes["params"])}

    return fill
