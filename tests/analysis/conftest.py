"""A small network whose layers have the zoo's names, and images for it."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from analysis import taps


class Small(nn.Module):
    """Two stages and a fully-connected head; `dtype` is that of the computation."""

    dtype: Any = None

    @nn.compact
    def __call__(self, images, train=False):
        assert not train
        x = nn.relu(nn.Conv(4, (3, 3), dtype=self.dtype, name="stage1")(images))
        x = nn.relu(nn.Conv(5, (3, 3), 2, dtype=self.dtype, name="stage2")(x))
        return nn.Dense(3, dtype=self.dtype, name="head")(x.reshape(x.shape[0], -1))


@pytest.fixture(scope="session")
def small():
    """The class, to be made with other fields; they share variables."""
    return Small


@pytest.fixture(scope="session")
def variables():
    shapes = jax.eval_shape(Small().init, jax.random.key(0), jnp.zeros((1, 6, 8, 2)))
    rng = np.random.default_rng(0)
    return jax.tree.map(lambda leaf: jnp.asarray(rng.normal(0, 0.3, leaf.shape), leaf.dtype), shapes)


@pytest.fixture(scope="session")
def logits_fn(variables):
    return taps.logits_fn(Small(), variables)


@pytest.fixture(scope="session")
def images():
    return np.random.default_rng(1).uniform(0, 1, (5, 6, 8, 2)).astype(np.float32)


@pytest.fixture(scope="session")
def labels():
    return np.array([0, 2, 1, 1, 0])
