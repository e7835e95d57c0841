import jax
import jax.numpy as jnp
import numpy as np

import zoo
from zoo.architectures.highway import HighwayNet


def test_highway19_has_the_layers_and_weights_of_the_paper(count_parameters):
    """19 layers deep; 2.3 million weights, of which the gates have as many as the layers they gate."""
    params = jax.eval_shape(zoo.create("highway19").init, jax.random.key(0), jnp.zeros((1, 32, 32, 3)))["params"]
    depth = sum(len(stage) for name, stage in params.items() if name.startswith("stage")) + len({"final", "head"})
    assert depth == 19
    plain = sum(9 * a * b + b for a, b in ((3, 32), (32, 80), (80, 128))) + 128 * 100 + 100 + 100 * 10 + 10
    gated = sum(2 * count * (9 * width**2 + width) for width, count in ((32, 4), (80, 5), (128, 5)))
    assert count_parameters("highway19") == plain + gated == 2_256_838


def test_closed_gates_leave_the_plain_convolutions_only(filled):
    """With every gate closed the depth is that of the convolutions that change the width."""
    images = jnp.asarray(np.random.default_rng(0).random((2, 8, 8, 3), np.float32))
    deep, shallow = HighwayNet(((4, 2), (6, 1)), final=5), HighwayNet(((4, 0), (6, 0)), final=5)
    variables = filled(deep, images)
    closed = jax.tree_util.tree_map_with_path(
        lambda path, leaf: jnp.full_like(leaf, -100.0) if "gate" in str(path) and leaf.ndim == 1 else leaf, variables
    )
    without = {
        "params": {
            name: {link: value for link, value in child.items() if not link.startswith("block")}
            for name, child in variables["params"].items()
        }
    }
    logits = jax.jit(deep.apply)(closed, images)
    np.testing.assert_allclose(logits, jax.jit(shallow.apply)(without, images), rtol=1e-5, atol=1e-6)
    assert not np.allclose(jax.jit(deep.apply)(variables, images), logits, atol=1e-3)
