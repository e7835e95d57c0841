"""Both ShuffleNets' units against their definition, group by group in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import zoo
from zoo.architectures.shufflenet_v1 import GroupedShuffleUnit
from zoo.architectures.shufflenet_v2 import ShuffleUnit
from zoo.layers import NoNorm

relu = lambda x: np.maximum(x, 0.0)  # noqa: E731


def kernel(variables, name):
    return np.asarray(variables["params"][name]["conv"]["kernel"], np.float64)


def pointwise(x, weights, groups=1):
    parts = np.split(x, groups, axis=-1), np.split(weights[0, 0], groups, axis=-1)
    return np.concatenate([part @ weight for part, weight in zip(*parts, strict=True)], axis=-1)


def windows(x, strides):
    """The nine shifted images of a 3×3 window with one pixel of zeros around."""
    height, width = x.shape[1:3]
    x = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    return {(i, j): x[:, i : i + height : strides, j : j + width : strides] for i in range(3) for j in range(3)}


def depthwise(x, weights, strides):
    return sum(part * weights[tap][0] for tap, part in windows(x, strides).items())


def dealt(x, groups):
    """Channels in the order in which the groups are asked in turn."""
    size = x.shape[-1] // groups
    return x[..., [group * size + place for place in range(size) for group in range(groups)]]


@pytest.mark.parametrize(("strides", "grouped_input"), [(1, True), (2, True), (2, False)])
def test_grouped_unit(strides, grouped_input, filled):
    unit = GroupedShuffleUnit(24, 3, grouped_input, strides, norm=NoNorm())
    x = np.random.default_rng(1).standard_normal((2, 5, 6, 24 if strides == 1 else 12)).astype(np.float32)
    variables = filled(unit, x)
    y = relu(pointwise(x, kernel(variables, "reduce"), 3 if grouped_input else 1))
    y = depthwise(dealt(y, 3), kernel(variables, "depthwise"), strides)
    y = pointwise(y, kernel(variables, "expand"), 3)
    if strides == 1:
        expected = relu(x + y)
    else:
        expected = relu(np.concatenate([sum(windows(x, strides).values()) / 9, y], axis=-1))
    np.testing.assert_allclose(unit.apply(variables, x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("strides", [1, 2])
def test_split_unit(strides, filled):
    unit = ShuffleUnit(12, strides, norm=NoNorm())
    x = np.random.default_rng(1).standard_normal((2, 5, 6, 12 if strides == 1 else 5)).astype(np.float32)
    variables = filled(unit, x)
    around, y = np.split(x, 2, axis=-1) if strides == 1 else (x, x)
    if strides == 2:
        around = depthwise(around, kernel(variables, "around_depthwise"), strides)
        around = relu(pointwise(around, kernel(variables, "around_project")))
    y = depthwise(relu(pointwise(y, kernel(variables, "expand"))), kernel(variables, "depthwise"), strides)
    y = relu(pointwise(y, kernel(variables, "project")))
    expected = dealt(np.concatenate([around, y], axis=-1), 2)
    np.testing.assert_allclose(unit.apply(variables, x), expected, rtol=1e-4, atol=1e-5)


def test_only_the_first_unit_reads_its_input_ungrouped():
    shapes = jax.eval_shape(zoo.create("shufflenet_v1_g8").init, jax.random.key(0), jnp.zeros((1, 64, 64, 3)))["params"]
    inputs = [shapes[f"stage{s}"]["block1"]["reduce"]["conv"]["kernel"].shape[2] for s in (1, 2, 3)]
    assert inputs == [24, 384 // 8, 768 // 8]
