import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.layers import CBAM, BasicBlock, SqueezeExcite


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def dense(params, x):
    return x @ np.asarray(params["kernel"], np.float64)[0, 0] + np.asarray(params["bias"], np.float64)


def test_squeeze_excite_by_definition(normal, draw):
    x = normal(2, 3, 4, 8)
    layer = SqueezeExcite(reduction=4, gate=nn.hard_sigmoid)
    variables = draw(layer, jnp.asarray(x))
    params = variables["params"]
    assert params["fc1"]["kernel"].shape == (1, 1, 8, 2)
    hidden = np.maximum(dense(params["fc1"], x.astype(np.float64).mean((1, 2))), 0)
    weights = np.clip(dense(params["fc2"], hidden) / 6 + 0.5, 0, 1)
    np.testing.assert_allclose(layer.apply(variables, jnp.asarray(x)), x * weights[:, None, None], rtol=1e-5, atol=1e-6)


def test_width_replaces_reduction():
    params = jax.eval_shape(SqueezeExcite(width=5).init, jax.random.key(0), jnp.ones((1, 4, 4, 8)))["params"]
    assert params["fc1"]["bias"].shape == (5,)
    params = jax.eval_shape(SqueezeExcite().init, jax.random.key(0), jnp.ones((1, 4, 4, 8)))["params"]
    assert params["fc1"]["bias"].shape == (1,)


def test_cbam_by_definition(oracle, normal, draw):
    x = normal(2, 5, 4, 6)
    layer = CBAM(reduction=3, kernel_size=3)
    variables = draw(layer, jnp.asarray(x))
    params = variables["params"]
    squeeze = lambda seen: dense(params["fc2"], np.maximum(dense(params["fc1"], seen), 0))  # noqa: E731
    y = x * sigmoid(squeeze(x.mean((1, 2))) + squeeze(x.max((1, 2))))[:, None, None]
    seen = np.stack([y.mean(-1), y.max(-1)], axis=-1)
    y = y * sigmoid(oracle(seen, params["spatial"]["kernel"], (1, 1), ((1, 1), (1, 1)), (1, 1)))
    np.testing.assert_allclose(jax.jit(layer.apply)(variables, jnp.asarray(x)), y, rtol=1e-4, atol=1e-5)


def test_attention_in_a_residual_block():
    block = BasicBlock(8, attention=functools.partial(SqueezeExcite, reduction=2))
    params = jax.eval_shape(block.init, jax.random.key(0), jnp.ones((1, 4, 4, 8)))["params"]
    assert params["attention"]["fc1"]["kernel"].shape == (1, 1, 8, 4)


def test_bad_widths_are_refused():
    with pytest.raises(ValueError, match="reduction=0"):
        SqueezeExcite(reduction=0).init(jax.random.key(0), jnp.ones((1, 4, 4, 8)))
    with pytest.raises(ValueError, match="width=0"):
        SqueezeExcite(width=0).init(jax.random.key(0), jnp.ones((1, 4, 4, 8)))
    for layer in (SqueezeExcite(), CBAM()):
        with pytest.raises(ValueError, match="too few axes"):
            layer.init(jax.random.key(0), jnp.ones((4, 8)))
