import jax
import jax.numpy as jnp

import zoo
from train.divergence import first_bad

MODEL = zoo.create("lenet5", num_classes=3)
VARIABLES = jax.tree.map(
    jnp.ones_like, jax.eval_shape(lambda: MODEL.init(jax.random.key(0), jnp.zeros((1, 32, 32, 1))))
)


def spoiled(*paths, value=jnp.nan):
    flat = jax.tree_util.tree_map_with_path(
        lambda path, leaf: leaf * value if "/".join(key.key for key in path) in paths else leaf, VARIABLES
    )
    return first_bad(MODEL, flat, (32, 32, 1))


def test_the_first_is_that_of_the_layer_that_is_used_first():
    assert spoiled() is None
    assert spoiled("params/head/bias") == "params/head/bias"
    assert spoiled("params/head/bias", "params/dense2/kernel").startswith("params/dense2/kernel, and 1 more of ")
    assert spoiled("params/dense1/bias", "params/dense1/kernel", value=jnp.inf).startswith(
        "params/dense1/kernel, and 1"
    )
