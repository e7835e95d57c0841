import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from zoo.layers import (
    BasicBlock,
    BottleneckBlock,
    DenseBlock,
    HighwayBlock,
    NoNorm,
    PlainBlock,
    PreActivationBlock,
    PreActivationBottleneckBlock,
    convolution,
    pad_shortcut,
)

BLOCKS = [BasicBlock, BottleneckBlock, PlainBlock, PreActivationBlock, PreActivationBottleneckBlock, HighwayBlock]


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize(("strides", "shortcut"), [(1, "projection"), (2, "projection"), (2, "pad")])
def test_shapes(block, strides, shortcut):
    layer = block(16, strides=strides, shortcut=shortcut)
    x = jax.ShapeDtypeStruct((2, 7, 8, 16), jnp.float32)
    y, _ = jax.eval_shape(layer.init_with_output, jax.random.key(0), x)
    assert y.shape == (2, -(-7 // strides), 8 // strides, 16 * block.expansion)


@pytest.mark.parametrize(
    ("block", "last"),
    [
        (BasicBlock, "conv2"),
        (BottleneckBlock, "conv3"),
        (PreActivationBlock, "conv2"),
        (PreActivationBottleneckBlock, "conv3"),
    ],
)
def test_zeroed_branch_leaves_the_identity(block, last, normal, draw):
    x = jnp.abs(jnp.asarray(normal(1, 4, 4, 8)))
    layer = block(8 // block.expansion)
    variables = draw(layer, x)
    params = variables["params"]
    params[last] = jax.tree.map(jnp.zeros_like, params[last])
    np.testing.assert_array_equal(jax.jit(layer.apply)(variables, x), x)


def test_plain_block_with_zeroed_weights_loses_the_input(normal, draw):
    x = jnp.asarray(normal(1, 4, 4, 8))
    layer = PlainBlock(8)
    variables = jax.tree.map(jnp.zeros_like, draw(layer, x))
    assert not jax.jit(layer.apply)(variables, x).any()


def test_basic_block_is_its_formula(normal, draw):
    x = jnp.asarray(normal(1, 5, 4, 3))
    layer = BasicBlock(4, strides=2, norm=NoNorm())
    variables = draw(layer, x)
    k1, k2, ks = (variables["params"][name]["conv"]["kernel"] for name in ("conv1", "conv2", "shortcut"))
    branch = convolution(nn.relu(convolution(x, k1, 2, 1)), k2, 1, 1)
    expected = nn.relu(branch + convolution(x, ks, 2, 0))
    np.testing.assert_allclose(jax.jit(layer.apply)(variables, x), expected, rtol=1e-5, atol=1e-5)


def test_pre_activation_block_is_its_formula(normal, draw):
    x = jnp.asarray(normal(1, 5, 4, 3))
    layer = PreActivationBlock(4, strides=2, norm=NoNorm())
    variables = draw(layer, x)
    k1, k2, ks = (variables["params"][name]["kernel"] for name in ("conv1", "conv2", "shortcut"))
    entry = nn.relu(x)
    expected = convolution(entry, ks, 2, 0) + convolution(nn.relu(convolution(entry, k1, 2, 1)), k2, 1, 1)
    np.testing.assert_allclose(jax.jit(layer.apply)(variables, x), expected, rtol=1e-5, atol=1e-5)


def test_highway_gate_goes_from_the_input_to_the_branch(normal, draw):
    x = jnp.asarray(normal(1, 4, 4, 6))
    layer = HighwayBlock(6, norm=NoNorm())
    variables = draw(layer, x)
    apply = jax.jit(layer.apply)
    params = variables["params"]
    apart = lambda unit: convolution(x, unit["kernel"]) + unit["bias"].reshape(1, 1, 1, -1)  # noqa: E731
    branch, share = nn.relu(apart(params["conv"]["conv"])), nn.sigmoid(apart(params["gate"]))
    np.testing.assert_allclose(apply(variables, x), share * branch + (1 - share) * x, rtol=1e-5, atol=1e-5)
    params["gate"]["bias"] = jnp.full(6, -600.0)
    np.testing.assert_allclose(apply(variables, x), x, rtol=1e-6)
    params["gate"]["bias"] = jnp.full(6, 600.0)
    np.testing.assert_allclose(apply(variables, x), branch, rtol=1e-5, atol=1e-5)


def test_highway_gate_starts_towards_the_input():
    gate = HighwayBlock(2, gate_bias=-3.0).init(jax.random.key(0), jnp.ones((1, 1, 1, 2)))["params"]["gate"]
    assert gate["bias"].tolist() == [-3, -3]


def test_dense_block_keeps_what_came_before(normal, draw):
    x = jnp.asarray(normal(1, 4, 4, 6))
    layer = DenseBlock(count=3, growth=4, bottleneck=2)
    variables = draw(layer, x)
    y = jax.jit(layer.apply)(variables, x)
    np.testing.assert_array_equal(y[..., :6], x)
    assert y.shape == (1, 4, 4, 6 + 3 * 4)
    inputs = [variables["params"][f"layer{i}"]["conv1"]["conv"]["kernel"].shape for i in (1, 2, 3)]
    assert inputs == [(1, 1, 6, 8), (1, 1, 10, 8), (1, 1, 14, 8)]
    _, bare = jax.eval_shape(DenseBlock(2, 4, bottleneck=0).init_with_output, jax.random.key(0), x)
    assert bare["params"]["layer2"]["conv2"]["conv"]["kernel"].shape == (3, 3, 10, 4)


def test_dense_block_drops_new_features_only(normal, draw):
    x = jnp.asarray(normal(1, 4, 4, 2))
    layer = DenseBlock(count=1, growth=64, bottleneck=0, dropout=0.5)
    variables = draw(layer, x)
    run = jax.jit(lambda v, k: layer.apply(v, x, True, rngs={"dropout": k}, mutable=["batch_stats"])[0])
    y = run(variables, jax.random.key(1))
    np.testing.assert_array_equal(y[..., :2], x)
    assert 0.4 < float((y[..., 2:] == 0).mean()) < 0.6


def test_parameter_free_shortcut(normal):
    x = normal(1, 5, 4, 3)
    y = pad_shortcut(jnp.asarray(x), 8, 2)
    np.testing.assert_array_equal(y[..., 2:5], x[:, ::2, ::2])
    assert not np.delete(np.asarray(y), [2, 3, 4], axis=-1).any()
    with pytest.raises(ValueError, match="from 3 down to 2"):
        pad_shortcut(jnp.asarray(x), 2, 1)


@pytest.mark.parametrize("block", [BasicBlock, PlainBlock, PreActivationBlock, HighwayBlock])
def test_inner_width_is_refused_where_there_is_none(block):
    with pytest.raises(ValueError, match=f"groups=2, base_width=64: {block.__name__} has no inner width"):
        jax.eval_shape(block(8, groups=2).init, jax.random.key(0), jnp.ones((1, 4, 4, 8)))


def test_grouped_bottleneck_of_resnext():
    params = jax.eval_shape(
        PreActivationBottleneckBlock(64, groups=32, base_width=4).init, jax.random.key(0), jnp.ones((1, 4, 4, 256))
    )["params"]
    assert params["conv2"]["kernel"].shape == (3, 3, 4, 128)


@pytest.mark.parametrize("block", [BasicBlock, PreActivationBlock])
def test_an_unknown_shortcut_is_refused(block):
    with pytest.raises(ValueError, match="shortcut='zeros' is unknown"):
        jax.eval_shape(block(8, shortcut="zeros").init, jax.random.key(0), jnp.ones((1, 4, 4, 4)))
