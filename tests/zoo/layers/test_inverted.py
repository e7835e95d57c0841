"""Inverted residuals: the way around, skipped branches, dilation, and the fused form's shapes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.layers.attention import SqueezeExcite
from zoo.layers.inverted import FusedInvertedResidual, InvertedResidual

BLOCKS = [InvertedResidual, FusedInvertedResidual]


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize(("features", "strides", "around"), [(8, 1, True), (12, 1, False), (8, 2, False)])
def test_the_way_around_is_there_where_shapes_allow(block, features, strides, around, draw, normal):
    layer, x = block(features, 16, strides=strides), normal(2, 6, 6, 8)
    variables = draw(layer, x)
    variables["params"]["project"]["norm"] = jax.tree.map(jnp.zeros_like, variables["params"]["project"]["norm"])
    np.testing.assert_array_equal(layer.apply(variables, x), x if around else np.zeros_like(layer.apply(variables, x)))


def test_training_skips_the_branch_of_some_images_and_scales_that_of_the_others(draw, normal):
    layer, x = InvertedResidual(4, 8, drop_path=0.25), normal(64, 3, 3, 4)
    variables = draw(layer, x)
    variables["params"]["project"]["norm"] = {"scale": jnp.zeros(4), "bias": jnp.full(4, 3.0)}
    y, _ = layer.apply(variables, x, True, rngs={"dropout": jax.random.key(0)}, mutable=["batch_stats"])
    added = np.asarray(y) - x
    np.testing.assert_allclose(added, np.broadcast_to(added[:, :1, :1, :1], added.shape), atol=1e-5)
    skipped = np.isclose(added[:, 0, 0, 0], 0.0, atol=1e-5)
    np.testing.assert_allclose(added[~skipped], 4.0, rtol=1e-5)
    assert 6 <= skipped.sum() <= 26  # 16 expected, within three standard deviations
    np.testing.assert_allclose(layer.apply(variables, x) - x, 3.0, rtol=1e-5)


def test_without_expansion_there_is_no_convolution_for_it():
    names = {}
    for block in BLOCKS:
        for hidden in (8, 16):
            shapes = jax.eval_shape(block(8, hidden).init, jax.random.key(0), jnp.zeros((1, 4, 4, 8)))
            names[block, hidden] = set(shapes["params"])
    assert names == {
        (InvertedResidual, 8): {"depthwise", "project"},
        (InvertedResidual, 16): {"expand", "depthwise", "project"},
        (FusedInvertedResidual, 8): {"fused"},
        (FusedInvertedResidual, 16): {"fused", "project"},
    }


@pytest.mark.parametrize("block", BLOCKS)
def test_attention_weighs_the_hidden_channels(block):
    layer = block(8, 16, attention=SqueezeExcite)
    shapes = jax.eval_shape(layer.init, jax.random.key(0), jnp.zeros((1, 4, 4, 8)))["params"]
    assert shapes["attention"]["fc2"]["kernel"].shape[-1] == 16


def test_dilation_reaches_further_at_the_same_size(draw):
    layer = InvertedResidual(1, 1, dilation=2)
    x = np.zeros((1, 7, 7, 1), np.float32)
    x[0, 3, 3, 0] = 1.0
    variables = draw(layer, x)
    changed = ~np.isclose(layer.apply(variables, x), layer.apply(variables, jnp.zeros_like(x)))[0, :, :, 0]
    wanted = np.zeros((7, 7), bool)
    wanted[1::2, 1::2] = True
    wanted[3, 3] = True
    assert changed.tolist() == wanted.tolist()
