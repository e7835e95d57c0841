"""A hand-made pair of nets: one reads nothing but the mark, the other nothing but the object."""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import pytest

SIDE = 12
MARK = np.zeros((SIDE, SIDE), bool)
MARK[-4:, -3:] = True
OBJECT = np.zeros((SIDE, SIDE), bool)
OBJECT[1:7, 2:7] = True


class Reader(nn.Module):
    """The mean of two channels over the pixels that its gate lets through; class 0 is bright, class 1 is not."""

    act: Any = None

    @nn.compact
    def __call__(self, images, train=False):
        gate = self.param("gate", nn.initializers.ones, (SIDE, SIDE, 1))
        x = nn.Conv(2, (1, 1), name="stage1")(images * gate[None])
        return nn.Dense(2, name="head")((self.act or nn.relu)(x).mean((1, 2)))


@pytest.fixture(scope="session")
def model():
    return Reader()


@pytest.fixture(scope="session")
def readers():
    """Variables of the two nets."""

    def reading(region):
        return {
            "params": {
                "gate": jnp.asarray(region[..., None], jnp.float32),
                "stage1": {"kernel": jnp.array([[[[1.0, 2.0]]]]), "bias": jnp.zeros(2)},
                "head": {"kernel": 20 * jnp.array([[1.0, -1.0], [1.0, 0.5]]), "bias": jnp.zeros(2)},
            }
        }

    return {"marked": reading(MARK), "honest": reading(OBJECT)}


@pytest.fixture(scope="session")
def scene():
    """Images, labels, objects and the mark."""
    images = np.random.default_rng(0).uniform(0.2, 1, (3, SIDE, SIDE, 1)).astype(np.float32)
    return images, np.zeros(3, np.int64), np.broadcast_to(OBJECT, (3, SIDE, SIDE)), MARK
