"""Receptive fields from traced programs against the pixels that gradients reach."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from convzoo.jaxprs import interpret
from zoo.layers import Conv, avg_pool, channel_shuffle, max_pool
from zoo.layers.resize import resize
from zoo.receptive_field import Reach, propagate

START = Reach((1, 2), (1, 1), (1, 1))


def reach_of(function, shape=(1, 32, 32, 2)):
    return interpret(jax.make_jaxpr(function)(jax.ShapeDtypeStruct(shape, jnp.float32)), [START], propagate)[0]


def seen_by_the_middle(function, size=32):
    """Extent of the pixels that a middle element's gradient reaches."""
    image = jnp.asarray(np.random.default_rng(0).random((1, size, size, 2)), jnp.float32)

    def middle(image):
        y = function(image)
        return y[0, y.shape[1] // 2, y.shape[2] // 2].sum()

    rows, columns = np.nonzero(np.abs(jax.grad(middle)(image)[0]).sum(-1))
    return np.ptp(rows) + 1, np.ptp(columns) + 1


def conv(*shape):
    kernel = jnp.asarray(np.random.default_rng(1).uniform(0.5, 1.0, (*shape, 2, 2)), jnp.float32)
    return lambda x, **settings: lax.conv_general_dilated(
        x, kernel, settings.pop("strides", (1, 1)), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"), **settings
    )


def normalize(x):
    return (x - x.mean(-1, keepdims=True)) / jnp.sqrt(1e-3 + x.var(-1, keepdims=True))


def shuffle_unit(x):
    left, right = jnp.split(x, 2, axis=-1)
    both = conv(3, 3)(jnp.concatenate([right, right], -1))
    return channel_shuffle(jnp.concatenate([left, both[..., :1]], -1), 2)


CASES = {
    "one": lambda x: conv(3, 5)(x),
    "five in a row": lambda x: conv(3, 3)(conv(3, 3)(conv(3, 3)(conv(3, 3)(conv(3, 3)(x))))),
    "dilated": lambda x: conv(3, 3)(conv(3, 3)(x), rhs_dilation=(2, 4)),
    "strided": lambda x: conv(3, 3)(conv(3, 3)(conv(3, 3)(x, strides=(2, 2)), strides=(2, 1))),
    "average pools": lambda x: avg_pool(conv(3, 3)(avg_pool(x, 2)), 3, 2),
    "branches": lambda x: jnp.concatenate([conv(1, 1)(x), conv(5, 3)(x)], -1) + jnp.tile(conv(3, 3)(x), (1, 1, 1, 2)),
    "shuffled channels": lambda x: conv(3, 3)(channel_shuffle(conv(3, 5)(x), 2)),
    "halves": lambda x: jnp.concatenate([*jnp.split(conv(3, 3)(x), 2, axis=-1)][::-1], -1),
    "a shortcut around half of the channels": lambda x: shuffle_unit(shuffle_unit(x)),
    "normalized over channels": lambda x: conv(3, 3)(normalize(conv(3, 5)(x))),
    "statistics of one channel": lambda x: conv(3, 3)(x - conv(5, 3)(x)[..., :1]),
    "subsampled": lambda x: conv(3, 3)(conv(3, 3)(x)[:, ::2, ::2]),
}


@pytest.mark.parametrize("function", CASES.values(), ids=CASES)
def test_equals_what_the_gradient_reaches(function):
    assert reach_of(function).size == seen_by_the_middle(function)


def test_five_layers_of_three_see_eleven_not_fifty_one():
    assert reach_of(CASES["five in a row"]).size == (11, 11)


def test_max_pool_counts_all_that_could_win():
    reach = reach_of(lambda x: max_pool(max_pool(x, 3, 2), 3, 2))
    assert reach.size == (7, 7)
    assert reach.jump == (4, 4)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x + x.mean((1, 2), keepdims=True),
        lambda x: x.reshape(1, -1),
        lambda x: jnp.einsum("nhwc,hk->nkwc", x, jnp.ones((32, 5))),
        lambda x: x[:, ::-1],
        lambda x: x + x[:, :1],
        lambda x: x + jax.lax.slice_in_dim(x, 3, 4, axis=2),
        lambda x: jnp.split(x, 2, axis=1)[0],
        lambda x: jnp.cumsum(x, axis=2),
        lambda x: jnp.sort(x, axis=1),
    ],
)
def test_whatever_mixes_positions_sees_the_whole_image(function):
    assert np.inf in reach_of(function).size


def test_a_gate_does_not_count_what_it_multiplies_does():
    gate = lambda x: jax.nn.sigmoid(x.mean((1, 2), keepdims=True))  # noqa: E731
    assert reach_of(lambda x: conv(3, 3)(conv(3, 5)(x) * gate(x))).size == (5, 7)
    assert np.inf in reach_of(lambda x: gate(x) * gate(x)).size


@pytest.mark.parametrize("sizes", [(64, 48), (16, 24)])
def test_resampling_sees_two_neighbours(sizes):
    reach = reach_of(lambda x: resize(conv(3, 5)(x), sizes))
    assert reach.size == (4, 6)
    assert reach.jump == (32 / sizes[0], 32 / sizes[1])
    assert reach.axes == (1, 2)


def test_a_transposed_image_keeps_its_axes_apart():
    reach = reach_of(lambda x: conv(3, 5)(x).transpose(0, 2, 1, 3))
    assert reach.axes == (2, 1)
    assert reach.size == (3, 5)


def test_depthwise_takes_the_native_branch_only():
    layer = Conv(2, 3, groups=2)
    variables = layer.init(jax.random.key(0), jnp.ones((1, 8, 8, 2)))
    names = []

    def rule(equation, values, path):
        names.append(equation.primitive.name)
        return propagate(equation, values)

    program = jax.make_jaxpr(lambda x: layer.apply(variables, x))(jnp.ones((1, 8, 8, 2)))
    [reach] = interpret(program, [START], rule)
    assert names.count("conv_general_dilated") == 1
    assert reach.size == (3, 3)


def test_programs_inside_the_program_are_entered():
    inner = jax.checkpoint(jax.jit(lambda x: nn.relu(conv(3, 3)(x))))
    assert reach_of(lambda x: inner(inner(x))).size == (5, 5)
