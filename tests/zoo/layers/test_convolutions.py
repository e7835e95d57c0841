import itertools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from zoo.layers import (
    Conv,
    PointwiseConv,
    channel_shuffle,
    convolution,
    dense_kernel_to_conv,
    flatten,
    max_pool,
    parameter_count,
)
from zoo.layers.arithmetic import padding_pairs

CASES = {
    "3x3": ((2, 6, 5, 3), (3, 3, 3, 4), 1, "SAME", 1, 1),
    "strided, asymmetric": ((2, 7, 6, 2), (3, 2, 2, 3), (2, 1), ((0, 2), (1, 0)), 1, 1),
    "dilated": ((1, 8, 9, 2), (3, 3, 2, 3), 1, 2, (2, 3), 1),
    "grouped": ((2, 6, 5, 4), (3, 3, 2, 6), 2, 1, 1, 2),
    "depthwise": ((2, 5, 6, 3), (3, 3, 1, 3), 1, "SAME", 1, 3),
    "depthwise, two outputs each": ((1, 5, 6, 3), (3, 3, 1, 6), 2, "VALID", 1, 3),
    "1x1": ((2, 4, 5, 3), (1, 1, 3, 4), 1, "VALID", 1, 1),
    "1x1 strided": ((2, 5, 4, 3), (1, 1, 3, 4), 2, 0, 1, 1),
    "signal": ((2, 9, 2), (3, 2, 4), 2, 1, 1, 1),
    "volume": ((1, 4, 3, 5, 2), (2, 2, 3, 2, 2), 1, "SAME", 1, 1),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_definition(case, oracle, normal):
    image, taps, strides, padding, dilation, groups = case
    x, kernel = normal(*image), normal(*taps)
    rank = len(image) - 2
    strides_, dilation_ = ((v,) * rank if isinstance(v, int) else v for v in (strides, dilation))
    pairs = padding_pairs(padding, image[1:-1], taps[:-2], strides_, dilation_)
    y = convolution(jnp.asarray(x), jnp.asarray(kernel), strides, padding, dilation, groups)
    np.testing.assert_allclose(y, oracle(x, kernel, strides_, pairs, dilation_, groups), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["strided, asymmetric", "grouped", "depthwise", "1x1 strided"])
def test_gradients(name, normal):
    image, taps, *settings = CASES[name]
    check_grads(
        jax.jit(lambda x, k: convolution(x, k, *settings)),
        (jnp.asarray(normal(*image)), jnp.asarray(normal(*taps))),
        order=1,
        modes=["rev"],
        atol=1e-2,
        rtol=1e-2,
    )


@pytest.mark.parametrize("batch", [(), (2,), (2, 3)])
def test_same_variables_and_outputs_as_flax_for_any_batch(batch, normal):
    x = jnp.asarray(normal(*batch, 6, 5, 4))
    settings = {"strides": 2, "padding": ((1, 0), (2, 1))}
    ours = Conv(6, 3, groups=2, **settings)
    theirs = nn.Conv(6, (3, 3), feature_group_count=2, **settings)
    variables = ours.init(jax.random.key(1), x)
    jax.tree.map(np.testing.assert_array_equal, variables, theirs.init(jax.random.key(1), x))
    variables["params"]["bias"] += 1.0
    np.testing.assert_allclose(ours.apply(variables, x), theirs.apply(variables, x), rtol=1e-5, atol=1e-5)


def hand_worked():
    rows = np.repeat(np.arange(1.0, 5)[:, None], 4, axis=1)
    return jnp.asarray(np.stack([np.ones((4, 4)), np.full((4, 4), 2.0), rows], axis=-1)[None])


def test_hand_worked_example():
    """Channels of ones, of twos, and of rows 1 to 4, under one 3×3×3 kernel of ones."""
    ones = jnp.ones((3, 3, 3, 1))
    assert convolution(hand_worked(), ones, padding="VALID")[0, :, :, 0].tolist() == [[45, 45], [54, 54]]
    assert convolution(hand_worked(), ones, padding=1)[0, 0, 0, 0] == 18
    dilated = convolution(hand_worked(), ones, padding=2, dilation=2)[0, :, :, 0]
    assert dilated.tolist() == [[20] * 4, [24] * 4, [20] * 4, [24] * 4]


def test_edge_detector_shifts_with_the_signal():
    """Flipping the kernel [1, −1] turns the cross-correlation into the convolution of the textbook."""
    kernel = jnp.array([-1.0, 1.0]).reshape(2, 1, 1)
    slide = lambda signal: convolution(jnp.asarray(signal, jnp.float32).reshape(1, -1, 1), kernel, padding="VALID")  # noqa: E731
    here = slide([0, 0, 1, 2, 3, 0, 0]).ravel().tolist()
    assert here == [0, 1, 1, 1, -3, 0]
    assert slide([0, 0, 0, 0, 1, 2, 3]).ravel().tolist() == [0, 0, 0, 1, 1, 1]
    assert slide([0, 0, 0, 0, 1, 2, 3, 0]).ravel().tolist()[2:] == here[:-1]


def test_template_is_found_where_it_lies(normal):
    template = normal(3, 3)
    template -= template.mean()
    image = np.zeros((12, 10), np.float32)
    image[6:9, 4:7] = template
    y = convolution(jnp.asarray(image)[None, :, :, None], jnp.asarray(template)[:, :, None, None], padding="VALID")
    assert np.unravel_index(np.argmax(y), y.shape)[1:3] == (6, 4)
    np.testing.assert_allclose(y.max(), (template**2).sum(), rtol=1e-5)


def test_pointwise_is_a_dense_layer_at_every_position(normal, draw):
    x = jnp.asarray(normal(2, 3, 4, 5))
    layer = PointwiseConv(7)
    variables = draw(layer, x)
    flat = {"params": {**variables["params"], "kernel": variables["params"]["kernel"][0, 0]}}
    np.testing.assert_allclose(layer.apply(variables, x), nn.Dense(7).apply(flat, x), rtol=1e-5, atol=1e-6)


def test_bottleneck_of_pointwise_convolutions_counts_output_channels():
    """256 channels in, 64 out of a 3×3 and of a 5×5 kernel: directly, and through 64 channels."""
    count = lambda layer, channels: parameter_count(layer, (8, 8, channels))  # noqa: E731
    direct = sum(count(Conv(64, k, use_bias=False), 256) for k in (3, 5))
    reduced = 2 * count(PointwiseConv(64, use_bias=False), 256) + sum(
        count(Conv(64, k, use_bias=False), 64) for k in (3, 5)
    )
    assert (direct, reduced) == (557_056, 172_032)


def test_grouped_convolution_has_a_share_of_the_weights():
    count = lambda groups: parameter_count(Conv(256, 5, groups=groups, use_bias=False), (27, 27, 96))  # noqa: E731
    assert count(1) == 2 * count(2) == 4 * count(4)


def test_grouped_convolution_is_towers_side_by_side(normal):
    x, kernel = jnp.asarray(normal(1, 5, 5, 6)), jnp.asarray(normal(3, 3, 3, 4))
    towers = [convolution(x[..., 3 * g : 3 * g + 3], kernel[..., 2 * g : 2 * g + 2]) for g in range(2)]
    np.testing.assert_allclose(convolution(x, kernel, groups=2), jnp.concatenate(towers, -1), rtol=1e-5, atol=1e-5)


def test_channel_shuffle_deals_groups_out_and_undoes_itself():
    x = jnp.arange(24).reshape(2, 12)
    assert channel_shuffle(x, 3)[0].tolist() == [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]
    np.testing.assert_array_equal(channel_shuffle(channel_shuffle(x, 3), 4), x)
    with pytest.raises(ValueError, match="groups=5 does not divide 12"):
        channel_shuffle(x, 5)


def test_dense_layers_become_convolutions_that_read_every_crop(normal):
    """No padding anywhere: the map equals the network applied crop by crop, to rounding."""
    kernel, dense = jnp.asarray(normal(3, 3, 2, 4)), jnp.asarray(normal(3 * 3 * 4, 5))

    def features(x):
        return max_pool(nn.relu(convolution(x, kernel, padding="VALID")), 2)

    def crops(x):
        return flatten(features(x)) @ dense

    def everywhere(x):
        return convolution(features(x), dense_kernel_to_conv(dense, 3), padding="VALID")

    image = jnp.asarray(normal(1, 14, 12, 2))
    whole = everywhere(image)
    assert whole.shape == (1, 4, 3, 5)
    pieces = jnp.concatenate([image[:, i : i + 8, j : j + 8] for i, j in itertools.product((0, 2, 4, 6), (0, 2, 4))])
    np.testing.assert_allclose(whole.reshape(12, 5), crops(pieces), rtol=1e-5, atol=1e-5)


def test_a_224_network_on_448_pixels_gives_a_map_of_8_by_8():
    def network(x):
        for width in (2, 2, 2, 2, 4):
            x = max_pool(convolution(x, jnp.ones((3, 3, x.shape[-1], width))), 2)
        x = convolution(x, dense_kernel_to_conv(jnp.ones((7 * 7 * 4, 6)), 7), padding="VALID")
        return convolution(x, dense_kernel_to_conv(jnp.ones((6, 10)), 1), padding="VALID")

    for size, outputs in ((224, 1), (448, 8)):
        image = jax.ShapeDtypeStruct((1, size, size, 3), jnp.float32)
        assert jax.eval_shape(network, image).shape == (1, outputs, outputs, 10)


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (Conv(8, 3, groups=3), (1, 8, 8, 4), "groups=3 does not divide 4 input and 8 output channels.*is 2"),
        (Conv(8, 5, padding="VALID"), (1, 4, 8, 4), "spans 5 pixels, but spatial axis 0 has 4"),
        (Conv(8, 0), (1, 8, 8, 4), "kernel_size=0"),
        (Conv(0, 3), (1, 8, 8, 4), "features=0"),
        (Conv(8, 3, strides=0), (1, 8, 8, 4), "strides=0"),
        (Conv(8, 3, dilation=(1, 1, 1)), (1, 8, 8, 4), "3 entries for 2"),
        (Conv(8, 3, padding="REFLECT"), (1, 8, 8, 4), "'REFLECT' is unknown"),
        (Conv(8, 3), (8, 4), "too few axes"),
        (Conv(8, 3), (1, 0, 8, 4), "is empty"),
        (Conv(8, 3), (1, 8, 8, 0), "is empty"),
        (Conv(8, None), (1, 8, 8, 4), "kernel_size=None"),
        (Conv(8.0, 3), (1, 8, 8, 4), "features=8.0"),
        (Conv((8,), 3), (1, 8, 8, 4), r"features=\(8,\)"),
        (Conv(8, 3, groups=2.0), (1, 8, 8, 4), "groups=2.0: expected a positive integer"),
        (PointwiseConv(8, groups=3), (1, 8, 8, 4), "groups=3"),
    ],
)
def test_bad_input_is_refused_before_compilation(layer, shape, message):
    with pytest.raises(ValueError, match=message):
        jax.eval_shape(layer.init, jax.random.key(0), jax.ShapeDtypeStruct(shape, jnp.float32))


def test_bad_operands_are_refused():
    with pytest.raises(ValueError, match="takes 2 input channels, but the images have 3"):
        convolution(jnp.ones((1, 4, 4, 3)), jnp.ones((3, 3, 2, 4)))
    with pytest.raises(ValueError, match="expected"):
        convolution(jnp.ones((1, 4, 4, 3)), jnp.ones((3, 3, 4)))
    with pytest.raises(ValueError, match=r"expected \(49 · channels, features\)"):
        dense_kernel_to_conv(jnp.ones((50, 10)), 7)


@pytest.mark.parametrize(
    ("images", "kernel", "expected"),
    [
        (jnp.bfloat16, jnp.float32, jnp.float32),
        (jnp.float32, jnp.bfloat16, jnp.float32),
        (jnp.float16, jnp.bfloat16, jnp.float32),
        (jnp.uint8, jnp.float32, jnp.float32),
    ],
)
@pytest.mark.parametrize("kernel_size", [1, 3])
def test_the_type_is_that_of_images_and_kernel_together(images, kernel, expected, kernel_size):
    x = jnp.arange(18).reshape(1, 3, 3, 2).astype(images)
    weights = jnp.full((kernel_size, kernel_size, 2, 1), 0.1).astype(kernel)
    outputs = convolution(x, weights)
    assert outputs.dtype == expected
    np.testing.assert_array_equal(outputs, convolution(x.astype(expected), weights.astype(expected)))
