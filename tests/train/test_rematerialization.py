import contextlib

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import zoo
from train import rematerialization
from zoo.layers.normalization import BatchNorm

SHAPE = (32, 32, 1)
IMAGES = jax.random.uniform(jax.random.key(1), (8, *SHAPE))


def loss(model, variables, remat):
    def of(params):
        with rematerialization.of_blocks() if remat else contextlib.nullcontext():
            logits, updates = model.apply(
                {**variables, "params": params},
                IMAGES,
                train=True,
                mutable=["batch_stats"],
                rngs={"dropout": jax.random.key(2)},
            )
        return jnp.mean(logits**2), updates

    return of


@pytest.mark.parametrize("name", ["resnet20", "lenet5"])
def test_fewer_activations_are_kept(name):
    model = zoo.create(name, num_classes=10)
    shapes = jax.eval_shape(lambda: model.init(jax.random.key(0), IMAGES[:1]))

    def kept(remat):
        def pull_back(variables):
            return jax.vjp(lambda params: loss(model, variables, remat)(params)[0], variables["params"])[1]

        leaves = jax.tree.leaves(jax.eval_shape(pull_back, shapes))
        parameters = sum(leaf.size for leaf in jax.tree.leaves(shapes["params"]))
        return sum(leaf.size for leaf in leaves) - parameters

    assert kept(True) < 0.5 * kept(False)


class Net(nn.Module):
    """Two dense layers with normalization and dropout."""

    @nn.compact
    def __call__(self, images, train=False):
        x = BatchNorm()(nn.Dense(8, name="stem")(images.reshape(len(images), -1)), train=train, name="norm")
        x = nn.Dropout(0.5, deterministic=not train, name="dropout")(nn.relu(x))
        return nn.Dense(3, name="head")(x)


def test_gradients_statistics_and_dropout_stay():
    variables = zoo.init(Net(), jax.random.key(0), SHAPE)
    plain, again = (
        jax.jit(jax.grad(loss(Net(), variables, remat), has_aux=True))(variables["params"]) for remat in (False, True)
    )
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), plain, again)
    assert all(np.abs(leaf).max() > 1e-3 for leaf in jax.tree.leaves(plain[0]["head"]))
